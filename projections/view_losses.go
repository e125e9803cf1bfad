package projections

import (
	"maps"
	"slices"

	"tandem/domain"
	"tandem/eventlog"
)

// Intact reports whether nothing is lost of what the viewer has a part in: its directory and its
// agreements. Where all of a partition was lost before this image has seen any of it, nobody knows whose
// it was: then nothing is intact.
func (v *View) Intact() bool {
	if v.viewer.Operator || v.store.halted == [eventlog.Partitions]bool{} {
		return true
	}
	if v.store.lostUnseen {
		return false
	}
	lost := func(agreement *agreementNode) bool { return v.store.halted[agreement.index.partition] }
	return !v.store.halted[v.node.index.partition] && !slices.ContainsFunc(v.agreements(), lost)
}

// IntactPartners reports whether beside that nothing is lost of the directories of all partners
// that the viewer may know.
func (v *View) IntactPartners() bool {
	known := v.counterparties()
	if v.viewer.Operator {
		known = slices.Collect(maps.Keys(v.store.partners))
	}
	return !v.store.lostUnseen && v.Intact() && !slices.ContainsFunc(known, func(id domain.PartnerID) bool {
		partner := v.store.partners[id]
		return partner != nil && v.store.halted[partner.index.partition]
	})
}
