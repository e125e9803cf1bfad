package projections

import (
	"tandem/domain"
)

// Agreement returns an agreement.
func (v *View) Agreement(id domain.AgreementID) (Agreement, bool) {
	a := v.agreement(id)
	if a == nil {
		return Agreement{}, false
	}
	return v.agreementShape(v.as(a)), true
}

// Agreements returns all agreements that the viewer may see, sorted by id.
func (v *View) Agreements() []Agreement {
	shapes := []Agreement{}
	for _, a := range v.agreements() {
		shapes = append(shapes, v.agreementShape(v.as(a)))
	}
	return shapes
}

// as returns the agreement as the viewer may see it: who has withdrawn sees what was so then.
func (v *View) as(n *agreementNode) *domain.Agreement { return n.entity.As(v.who.Partner, v.now) }

func (v *View) agreementShape(a *domain.Agreement) Agreement {
	t := a.Terms
	shape := Agreement{
		ID: a.ID, Title: t.Title, State: a.State(v.now), Parties: t.Parties,
		EffectiveOn: t.EffectiveOn, ExpiresOn: orNull(t.ExpiresOn),
		AcceptanceDays: t.AcceptanceDays, DeemedAcceptance: t.DeemedAcceptance,
		ForecastToleranceDays: t.ForecastToleranceDays,
		Signatures:            map[domain.PartnerID]*Signature{},
		Termination:           terminationShape(a), Notices: map[domain.PartnerID]GivenNotice{},
		URL: v.url("agreements", string(a.ID)),
	}
	for _, p := range t.Parties {
		shape.Signatures[p] = nil
	}
	for _, s := range a.Signatures {
		shape.Signatures[s.Partner] = &Signature{s.Signatory, s.SignedOn}
	}
	for _, n := range a.Notices {
		shape.Notices[n.Partner] = GivenNotice{n.On, n.Reason}
	}
	shape.Version, shape.UpdatedAt = a.Seen.For(v.who.Partner)
	return shape
}

// Instrument returns one legal part of an agreement.
func (v *View) Instrument(a domain.AgreementID, id domain.InstrumentID) (Instrument, bool) {
	n := v.agreement(a)
	if n == nil || v.as(n).Instrument(id) == nil {
		return Instrument{}, false
	}
	return v.instrumentShape(v.as(n), v.as(n).Instrument(id)), true
}

// Instruments returns an agreement's instruments in the order of adding.
func (v *View) Instruments(a domain.AgreementID) []Instrument {
	shapes := []Instrument{}
	if n := v.agreement(a); n != nil {
		a := v.as(n)
		for i := range a.Instruments {
			shapes = append(shapes, v.instrumentShape(a, &a.Instruments[i]))
		}
	}
	return shapes
}

func (v *View) instrumentShape(a *domain.Agreement, i *domain.Instrument) Instrument {
	all := v.serving(a.ID, i.ID)
	return Instrument{
		Agreement: a.ID, ID: i.ID, Kind: i.Kind, Title: i.Title, Roles: rolesShape(i),
		EffectiveOn: i.EffectiveOn, ExpiresOn: orNull(i.ExpiresOn), Disclosure: i.Disclosure,
		Schedule: v.schedule(a, i, all), Obligations: obligations(i, all), PrivateNote: a.Note(i.ID, v.who.Partner),
		URL: v.url("agreements", string(a.ID), "instruments", string(i.ID)),
	}
}

func rolesShape(i *domain.Instrument) map[domain.RoleName][]domain.PartnerID {
	if i.Roles == nil {
		return map[domain.RoleName][]domain.PartnerID{}
	}
	return i.Roles
}

// Project returns a project.
func (v *View) Project(a domain.AgreementID, id domain.ProjectID) (Project, bool) {
	p := v.project(a, id)
	if p == nil {
		return Project{}, false
	}
	return v.projectShape(p.entity), true
}

// Projects returns those of an agreement's projects in which the viewer takes part, sorted by id.
func (v *View) Projects(a domain.AgreementID) []Project {
	shapes := []Project{}
	for _, p := range v.projectsOf(v.agreement(a)) {
		shapes = append(shapes, v.projectShape(p.entity))
	}
	return shapes
}

// projectsOf returns the visible projects of an agreement that the viewer may see.
func (v *View) projectsOf(a *agreementNode) []*projectNode {
	var visible []*projectNode
	if a != nil {
		for _, p := range a.projects {
			if p.entity != nil && p.entity.Participant(v.who.Partner) {
				visible = append(visible, p)
			}
		}
	}
	return visible
}

func (v *View) projectShape(p *domain.Project) Project {
	shape := Project{
		Agreement: p.Ref.Agreement, ID: p.Ref.Project, Title: p.Title, Description: p.Description,
		Area: p.Area, Stage: p.Stage, Lead: p.Lead, Participants: p.Participants,
		Instrument: orNull(p.Instrument), DecideBy: orNull(p.DecideBy),
		Pending: map[domain.Move][]domain.PartnerID{},
		URL:     v.url("agreements", string(p.Ref.Agreement), "projects", string(p.Ref.Project)),
	}
	for _, c := range p.Calls {
		shape.Pending[c.Move] = append(shape.Pending[c.Move], c.Partner)
	}
	shape.Version, shape.UpdatedAt = p.Seen.For(v.who.Partner)
	return shape
}
