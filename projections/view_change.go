package projections

import (
	"slices"
	"time"

	"tandem/api"
	"tandem/domain"
)

// Changes returns the visible change requests of a project, by number.
func (v *View) Changes(agreement domain.AgreementID, id domain.ProjectID) []api.Change {
	shapes, project := []api.Change{}, v.project(agreement, id)
	for _, request := range v.changes(project) {
		shapes = append(shapes, v.changeShape(project.entity, request))
	}
	return shapes
}

// Change returns a change request, or false if it is invisible.
func (v *View) Change(agreement domain.AgreementID, id domain.ProjectID, number int) (api.Change, bool) {
	project := v.project(agreement, id)
	for _, request := range v.changes(project) {
		if request.Number == number {
			return v.changeShape(project.entity, request), true
		}
	}
	return api.Change{}, false
}

// ChangeNumber returns the number of the change request that was proposed with the given idempotency key, or 0.
func (v *View) ChangeNumber(agreement domain.AgreementID, id domain.ProjectID, key string) int {
	for _, request := range v.changes(v.project(agreement, id)) {
		if key != "" && request.Key == key {
			return request.Number
		}
	}
	return 0
}

func (v *View) changeShape(project *domain.Project, request *domain.ChangeRequest) api.Change {
	shape := api.Change{
		Agreement: project.Ref.Agreement, Project: project.Ref.Project, Number: request.Number, Reason: request.Reason, State: request.State,
		ProposedBy: request.ProposedBy, ProposedAt: time.UnixMicro(request.ProposedAt).UTC(),
		Milestones: []api.ChangedMilestone{}, Publish: emptyIfNil(request.Publish),
		Approvals: map[domain.PartnerID]string{}, URL: v.changeURL(project.Ref, request.Number),
	}
	for _, proposed := range request.Milestones {
		shape.Milestones = append(shape.Milestones, api.ChangedMilestone{
			ID: proposed.Milestone, From: v.changeFields(project, proposed.From), To: v.changeFields(project, proposed.To),
			Cancel: proposed.Cancel,
		})
	}
	for _, party := range request.Parties(v.store, project.Ref) {
		shape.Approvals[party] = approval(request, party)
	}
	if request.DecidedAt != 0 {
		shape.DecidedAt = new(time.UnixMicro(request.DecidedAt).UTC())
	}
	switch request.State {
	case domain.ChangeStateRejected:
		shape.Rejection = &api.ChangeRejection{Partner: request.RejectedBy, Reason: request.RejectionReason}
	case domain.ChangeStateVoid:
		shape.Void = &api.ChangeVoid{Milestone: request.VoidGround.Milestone, Field: request.VoidGround.Field, State: request.VoidGround.State}
	}
	shape.Version, shape.UpdatedAt = request.Versions.For(v.viewer.Partner)
	shape.Creation = v.creation(request.Versions)
	return shape
}

// onlyMilestone returns the only milestone that the request changes or publishes, or nil if there are several.
func onlyMilestone(request *domain.ChangeRequest) *domain.MilestoneID {
	ids := slices.Clone(request.Publish)
	for _, proposed := range request.Milestones {
		ids = append(ids, proposed.Milestone)
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) != 1 {
		return nil
	}
	return &ids[0]
}

func approval(request *domain.ChangeRequest, party domain.PartnerID) string {
	switch {
	case request.State == domain.ChangeStateRejected && request.RejectedBy == party:
		return "rejected"
	case slices.Contains(request.Approvals, party):
		return "approved"
	case request.State == domain.ChangeStateOpen:
		return "pending"
	}
	return "none"
}

func (v *View) changeFields(project *domain.Project, fields domain.ChangeFields) api.ChangeFields {
	if agreement := v.agreement(project.Ref.Agreement); agreement != nil {
		fields = v.agreementFor(agreement).DisclosedFields(v.viewer.Partner, fields)
	}
	shape := api.ChangeFields{
		Title: nilIfZero(fields.Title), Description: fields.Description, DueOn: nilIfZero(fields.DueOn), Owner: nilIfZero(fields.Owner),
		Instrument: (*string)(fields.Instrument), ScheduleItem: (*string)(fields.ScheduleItem), Clause: fields.Clause,
	}
	if len(fields.Acceptors) > 0 {
		shape.Acceptors = &fields.Acceptors
	}
	if fields.Criteria != nil {
		shape.Criteria = new(emptyIfNil(*fields.Criteria))
	}
	return shape
}
