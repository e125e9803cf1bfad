package projections

import (
	"tandem/api"
	"tandem/domain"
)

// Agreement returns an agreement.
func (v *View) Agreement(id domain.AgreementID) (api.Agreement, bool) {
	agreement := v.agreement(id)
	if agreement == nil {
		return api.Agreement{}, false
	}
	return v.agreementShape(v.agreementFor(agreement)), true
}

// Agreements returns all agreements that the viewer may see, sorted by id.
func (v *View) Agreements() []api.Agreement {
	shapes := []api.Agreement{}
	for _, agreement := range v.agreements() {
		shapes = append(shapes, v.agreementShape(v.agreementFor(agreement)))
	}
	return shapes
}

func (v *View) agreementShape(agreement *domain.Agreement) api.Agreement {
	terms := agreement.Terms
	shape := api.Agreement{
		ID: agreement.ID, Title: terms.Title, State: agreement.State(v.now), Parties: terms.Parties,
		EffectiveOn: terms.EffectiveOn, ExpiresOn: nilIfZero(terms.ExpiresOn),
		AcceptanceDays: terms.AcceptanceDays, DeemedAcceptance: terms.DeemedAcceptance,
		ForecastToleranceDays: terms.ForecastToleranceDays,
		Signatures:            map[domain.PartnerID]*api.Signature{},
		Termination:           terminationShape(agreement), Notices: map[domain.PartnerID]api.GivenNotice{},
		URL: v.url("agreements", string(agreement.ID)),
	}
	for _, partner := range terms.Parties {
		shape.Signatures[partner] = nil
	}
	for _, signature := range agreement.Signatures {
		shape.Signatures[signature.Partner] = &api.Signature{Signatory: signature.Signatory, SignedOn: signature.SignedOn}
	}
	for _, notice := range agreement.TerminationNotices {
		shape.Notices[notice.Partner] = api.GivenNotice{EffectiveOn: notice.On, Reason: notice.Reason}
	}
	shape.Version, shape.UpdatedAt = agreement.Versions.For(v.viewer.Partner)
	return shape
}

// Instrument returns one legal part of an agreement.
func (v *View) Instrument(agreement domain.AgreementID, id domain.InstrumentID) (api.Instrument, bool) {
	node := v.agreement(agreement)
	if node == nil || v.agreementFor(node).Instrument(id) == nil {
		return api.Instrument{}, false
	}
	return v.instrumentShape(v.agreementFor(node), v.agreementFor(node).Instrument(id)), true
}

// Instruments returns an agreement's instruments in the order of adding.
func (v *View) Instruments(agreement domain.AgreementID) []api.Instrument {
	shapes := []api.Instrument{}
	if node := v.agreement(agreement); node != nil {
		agreement := v.agreementFor(node)
		for i := range agreement.Instruments {
			shapes = append(shapes, v.instrumentShape(agreement, &agreement.Instruments[i]))
		}
	}
	return shapes
}

func (v *View) instrumentShape(agreement *domain.Agreement, instrument *domain.Instrument) api.Instrument {
	all := v.servingMilestones(agreement.ID, instrument.ID)
	return api.Instrument{
		Agreement: agreement.ID, ID: instrument.ID, Kind: instrument.Kind, Title: instrument.Title, Roles: rolesShape(instrument),
		EffectiveOn: instrument.EffectiveOn, ExpiresOn: nilIfZero(instrument.ExpiresOn), Disclosure: instrument.Disclosure,
		Schedule: v.schedule(agreement, instrument, all), Obligations: obligations(instrument, all), PrivateNote: agreement.Note(instrument.ID, v.viewer.Partner),
		URL: v.url("agreements", string(agreement.ID), "instruments", string(instrument.ID)),
	}
}

func rolesShape(instrument *domain.Instrument) map[domain.RoleName][]domain.PartnerID {
	if instrument.Roles == nil {
		return map[domain.RoleName][]domain.PartnerID{}
	}
	return instrument.Roles
}

// Project returns a project.
func (v *View) Project(agreement domain.AgreementID, id domain.ProjectID) (api.Project, bool) {
	project := v.project(agreement, id)
	if project == nil {
		return api.Project{}, false
	}
	return v.projectShape(project.entity), true
}

// Projects returns those of an agreement's projects in which the viewer takes part, sorted by id.
func (v *View) Projects(agreement domain.AgreementID) []api.Project {
	shapes := []api.Project{}
	for _, project := range v.projectsOf(v.agreement(agreement)) {
		shapes = append(shapes, v.projectShape(project.entity))
	}
	return shapes
}

func (v *View) projectShape(project *domain.Project) api.Project {
	shape := api.Project{
		Agreement: project.Ref.Agreement, ID: project.Ref.Project, Title: project.Title, Description: project.Description,
		Area: project.Area, Stage: project.Stage, Lead: project.Lead, Participants: project.Participants,
		Instrument: nilIfZero(project.Instrument), DecideBy: nilIfZero(project.DecideBy),
		Pending: map[domain.StageMove][]domain.PartnerID{},
		URL:     v.url("agreements", string(project.Ref.Agreement), "projects", string(project.Ref.Project)),
	}
	for _, call := range project.Calls {
		shape.Pending[call.Move] = append(shape.Pending[call.Move], call.Partner)
	}
	shape.Version, shape.UpdatedAt = project.Versions.For(v.viewer.Partner)
	return shape
}
