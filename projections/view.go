package projections

import (
	"slices"
	"strings"
	"time"

	"tandem/domain"
)

// View answers for one viewer. Every method shows only what the viewer may see; what it may not
// see is absent like what does not exist. A View is valid only during the call it was made for.
type View struct {
	store          *store
	viewer         Viewer
	node           *partnerNode // the viewer's; a node without agreements for one that does not exist
	scope          []domain.AgreementID
	now            time.Time
	baseURL        string
	today          map[domain.PartnerID]domain.Date
	unknownPartner bool // the viewer's partner does not exist
}

// Now returns the time of the view.
func (v *View) Now() time.Time { return v.now }

// Version returns the version of lists: the number of all events that the viewer may see.
func (v *View) Version() uint64 {
	var count uint64
	for _, root := range v.positions() {
		count += root.Count
	}
	return count
}

// AgreementVersion returns the number of all events under an agreement that the viewer may see: the
// version of lists within it.
func (v *View) AgreementVersion(agreement domain.AgreementID) uint64 {
	count, _ := v.countIn(string(agreement))
	return count
}

// inScope reports whether the viewer's token is good for the agreement.
func (v *View) inScope(agreement domain.AgreementID) bool {
	return len(v.scope) == 0 || slices.Contains(v.scope, agreement)
}

// agreements returns what the viewer is party to and its token good for, sorted by id.
func (v *View) agreements() []*agreementNode {
	if len(v.scope) == 0 {
		return v.node.agreements
	}
	return slices.DeleteFunc(slices.Clone(v.node.agreements), func(agreement *agreementNode) bool { return !v.inScope(agreement.id) })
}

func (v *View) agreement(id domain.AgreementID) *agreementNode {
	agreement := v.store.agreements[id]
	if agreement == nil || v.viewer.Operator || !v.inScope(id) || !slices.Contains(agreement.readers(), v.viewer.Partner) {
		return nil
	}
	return agreement
}

func (v *View) project(agreement domain.AgreementID, id domain.ProjectID) *projectNode {
	if v.agreement(agreement) == nil {
		return nil
	}
	project := v.store.projectNode(domain.ProjectRef{Agreement: agreement, Project: id})
	if project == nil || !slices.Contains(project.participants(), v.viewer.Partner) {
		return nil
	}
	return project
}

func (v *View) milestone(ref domain.MilestoneRef) *milestoneNode {
	project := v.project(ref.Agreement, ref.Project)
	if project == nil {
		return nil
	}
	milestone := project.milestones[ref.Milestone]
	if milestone == nil || !milestone.entity.VisibleTo(v.viewer.Partner, project.entity) {
		return nil
	}
	return milestone
}

// partner returns a partner that the viewer may know: itself, its counterparties; to the operator
// all.
func (v *View) partner(id domain.PartnerID) *partnerNode {
	partner := v.store.partners[id]
	if partner == nil || partner.entity == nil {
		return nil
	}
	if v.viewer.Operator || id == v.viewer.Partner || slices.Contains(v.counterparties(), id) {
		return partner
	}
	return nil
}

// counterparties returns who shares an agreement with the viewer, within its scope; of one that it has withdrawn
// from, who did when it left.
func (v *View) counterparties() []domain.PartnerID {
	var ids []domain.PartnerID
	for _, agreement := range v.agreements() {
		readers := agreement.readers()
		if agreement.entity.HasLeft(v.viewer.Partner, v.now) {
			readers = v.agreementFor(agreement).Terms.Parties
		}
		for _, partner := range readers {
			if partner != v.viewer.Partner && !slices.Contains(ids, partner) {
				ids = append(ids, partner)
			}
		}
	}
	return ids
}

// directory reports whether the viewer may see the partner's directory.
func (v *View) directory(id domain.PartnerID) *partnerNode {
	partner := v.store.partners[id]
	if partner == nil || partner.entity == nil || (!v.viewer.Operator && id != v.viewer.Partner) {
		return nil
	}
	return partner
}

// PartnerVisible reports whether the viewer may know the partner.
func (v *View) PartnerVisible(id domain.PartnerID) bool { return v.partner(id) != nil }

// AgreementVisible reports whether the viewer may see the agreement.
func (v *View) AgreementVisible(id domain.AgreementID) bool { return v.agreement(id) != nil }

// ProjectVisible reports whether the viewer may see the project.
func (v *View) ProjectVisible(agreement domain.AgreementID, id domain.ProjectID) bool {
	return v.project(agreement, id) != nil
}

// MilestoneVisible reports whether the viewer may see the milestone.
func (v *View) MilestoneVisible(ref domain.MilestoneRef) bool { return v.milestone(ref) != nil }

// todayOf returns the date in a partner's zone.
func (v *View) todayOf(partner domain.PartnerID) domain.Date {
	today, ok := v.today[partner]
	if !ok {
		zone := time.UTC
		if node := v.store.partners[partner]; node != nil {
			zone = node.zone
		}
		today = domain.DateOf(v.now.In(zone))
		v.today[partner] = today
	}
	return today
}

// midnight returns the next midnight in any zone that can matter to the viewer: its own, its
// counterparties' and UTC, in which agreements end.
func (v *View) midnight() time.Time {
	zones := []*time.Location{time.UTC, v.node.zone}
	for _, id := range v.counterparties() {
		if partner := v.store.partners[id]; partner != nil && !slices.Contains(zones, partner.zone) {
			zones = append(zones, partner.zone)
		}
	}
	first := nextMidnight(v.now, time.UTC)
	for _, zone := range zones {
		if midnight := nextMidnight(v.now, zone); midnight.Before(first) {
			first = midnight
		}
	}
	return first
}

// nextMidnight returns when the date in the zone changes. Where clocks are put forward at
// midnight the computed instant can already be past; then it says a minute from now.
func nextMidnight(now time.Time, zone *time.Location) time.Time {
	year, month, day := now.In(zone).Date()
	midnight := time.Date(year, month, day+1, 0, 0, 0, 0, zone)
	if !midnight.After(now) {
		return now.Add(time.Minute)
	}
	return midnight
}

func (v *View) url(segments ...string) string {
	var text strings.Builder
	text.WriteString(v.baseURL)
	text.WriteString("/v1")
	for _, segment := range segments {
		text.WriteByte('/')
		text.WriteString(segment)
	}
	return text.String()
}

func (v *View) milestoneURL(ref domain.MilestoneRef) string {
	return v.url("agreements", string(ref.Agreement), "projects", string(ref.Project), "milestones", string(ref.Milestone))
}

// nilIfZero returns nil for a zero value, which is null in JSON.
func nilIfZero[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

// emptyIfNil returns an empty list for none, which is [] in JSON.
func emptyIfNil[T any](values []T) []T {
	if values == nil {
		return []T{}
	}
	return values
}
