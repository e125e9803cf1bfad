package projections

import (
	"time"

	"tandem/domain"
	"tandem/eventlog"
)

// PendingRenames returns the renames of the partners of a partition that their agreements have not recorded, in the
// order in which each agreement records them. An agreement records those since its partner could first see it.
// Agreements with an open loss are left out.
func (p *present) PendingRenames(partition eventlog.Partition, at time.Time) (pending []domain.RenameParty) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, partner := range p.store.directoriesIn[partition] {
		if partner.entity == nil {
			continue
		}
		for _, rename := range partner.entity.Renames {
			for _, agreement := range partner.agreements {
				if rename.Number > 0 && !p.store.halted[agreement.index.partition] &&
					agreement.entity.AwaitsRename(partner.id, rename.Number, at) && agreement.index.firstVisible(partner.id) <= rename.At {
					pending = append(pending, domain.RenameParty{AgreementID: agreement.id, Rename: domain.PartyRename{
						Party: partner.id, Number: rename.Number, From: rename.From, To: rename.To,
					}})
				}
			}
		}
	}
	return pending
}
