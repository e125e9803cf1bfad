package projections

import (
	"time"

	"tandem/api"
	"tandem/domain"
)

// Project returns a project, or false if it is invisible.
func (v *View) Project(agreement domain.AgreementID, id domain.ProjectID) (api.Project, bool) {
	project := v.project(agreement, id)
	if project == nil {
		return api.Project{}, false
	}
	return v.projectShape(project.entity), true
}

// Projects returns the visible projects of an agreement, sorted by id.
func (v *View) Projects(agreement domain.AgreementID) []api.Project {
	shapes := []api.Project{}
	for _, project := range v.projectsOf(v.agreement(agreement)) {
		shapes = append(shapes, v.projectShape(project.entity))
	}
	return shapes
}

func (v *View) projectShape(project *domain.Project) api.Project {
	instrument, _, _ := v.disclosedRefs(project.Ref.Agreement, project.Instrument, "", "")
	shape := api.Project{
		Agreement: project.Ref.Agreement, ID: project.Ref.Project, Title: project.Title, Description: project.Description,
		Area: project.Area, Stage: project.Stage, Lead: project.Lead, Participants: project.Participants,
		Instrument: nilIfZero(instrument), DecideBy: nilIfZero(project.DecideBy), LeadAgreed: project.LeadNomination == nil,
		Pending: map[domain.StageMove][]domain.PartnerID{}, PendingCalls: []api.PendingCall{},
		URL: v.url("agreements", string(project.Ref.Agreement), "projects", string(project.Ref.Project)),
	}
	for _, call := range project.Calls {
		shape.Pending[call.Move] = append(shape.Pending[call.Move], call.Partner)
		shape.PendingCalls = append(shape.PendingCalls, v.pendingCall(project.Ref.Agreement, call))
	}
	shape.Version, shape.UpdatedAt = project.Versions.For(v.viewer.Partner)
	shape.Creation = v.creation(project.Versions)
	return shape
}

func (v *View) pendingCall(agreement domain.AgreementID, call domain.OpenCall) api.PendingCall {
	dispositions := []api.Disposition{}
	for _, disposition := range call.Dispositions {
		dispositions = append(dispositions, api.Disposition{Milestone: disposition.Milestone, Disposition: disposition.State, Reason: disposition.Reason})
	}
	return api.PendingCall{
		Move: call.Move, Partner: call.Partner, Member: call.Member, Reason: call.Reason, Since: time.UnixMicro(call.At).UTC(),
		DecideBy: nilIfZero(call.DecideBy), Participants: emptyIfNil(call.Add), Lead: nilIfZero(call.Lead), Leaving: nilIfZero(call.Leaving), Dispositions: dispositions,
		Edit: v.calledEdit(agreement, call.Edit),
	}
}

// calledEdit returns the fields that a call proposes, or nil.
func (v *View) calledEdit(agreement domain.AgreementID, edit *domain.ProjectEdit) *api.ProjectFields {
	if edit == nil {
		return nil
	}
	instrument, _, _ := v.disclosedRefs(agreement, edit.To.Instrument, "", "")
	return &api.ProjectFields{Title: edit.To.Title, Description: edit.To.Description, Area: edit.To.Area, Instrument: nilIfZero(instrument)}
}
