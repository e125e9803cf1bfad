package projections

import (
	"cmp"

	"tandem/api"
	"tandem/domain"
)

// Instrument returns an instrument of an agreement, or false if it is invisible.
func (v *View) Instrument(agreement domain.AgreementID, id domain.InstrumentID) (api.Instrument, bool) {
	node, instrument := v.agreement(agreement), v.instrument(agreement, id)
	if instrument == nil {
		return api.Instrument{}, false
	}
	return v.instrumentShape(v.agreementFor(node), instrument), true
}

// Instruments returns an agreement's instruments in the order in which they were added.
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

func (v *View) instrumentShape(agreement *domain.Agreement, whole *domain.Instrument) api.Instrument {
	instrument := agreement.DisclosedInstrument(whole, v.viewer.Partner)
	all := v.servingMilestones(agreement.ID, instrument.ID)
	shape := api.Instrument{
		Agreement: agreement.ID, ID: nilIfZero(instrument.ID), Detail: instrument.Detail(), Kind: instrument.Kind,
		Title: nilIfZero(instrument.Title), Roles: rolesShape(&instrument),
		EffectiveOn: nilIfZero(instrument.EffectiveOn), ExpiresOn: nilIfZero(instrument.ExpiresOn), Term: termShape(&instrument), Disclosure: instrument.Disclosure,
		Schedule: v.schedule(agreement, &instrument, all), Obligations: obligations(&instrument, all),
		Documents:   documentsShape(instrument.Documents),
		PrivateNote: agreement.Note(whole.ID, v.viewer.Partner),
	}
	if instrument.Detail() == domain.DetailFull {
		shape.TermsSHA256 = new(agreement.InstrumentPart(whole).SHA256)
	}
	if instrument.Detail() != domain.DetailKind {
		shape.Creation = v.instrumentCreation(agreement, whole.ID)
	}
	if instrument.ID != "" {
		shape.URL = new(v.url("agreements", string(agreement.ID), "instruments", string(instrument.ID)))
	}
	return shape
}

func (v *View) instrumentCreation(agreement *domain.Agreement, id domain.InstrumentID) api.Creation {
	creation, seen := agreement.InstrumentCreation(id, v.viewer.Partner)
	if !seen {
		return api.Creation{}
	}
	return v.creationShape(creation)
}

// termShape returns nil for an instrument whose dates the viewer does not see.
func termShape(instrument *domain.Instrument) *domain.TermKind {
	if instrument.Detail() != domain.DetailFull {
		return nil
	}
	return new(instrument.TermKind())
}

func rolesShape(instrument *domain.Instrument) map[domain.RoleName][]domain.PartnerID {
	if instrument.Roles == nil {
		return map[domain.RoleName][]domain.PartnerID{}
	}
	return instrument.Roles
}

// servingMilestones are the visible milestones that name an instrument and can still happen, or have.
type servingMilestones []*domain.Milestone

func (v *View) servingMilestones(agreement domain.AgreementID, instrument domain.InstrumentID) (list servingMilestones) {
	for _, milestone := range v.store.MilestonesOf(agreement, instrument) {
		if project := v.store.Project(milestone.Ref.ProjectRef()); project != nil && milestone.VisibleTo(v.viewer.Partner, project) && !milestone.Ended(project, v.store.Agreement(agreement), v.now) {
			list = append(list, milestone)
		}
	}
	return list
}

// filter returns the milestones whose plan matches.
func (s servingMilestones) filter(fits func(domain.Plan) bool) (list servingMilestones) {
	for _, milestone := range s {
		if fits(milestone.Plan) {
			list = append(list, milestone)
		}
	}
	return list
}

func (s servingMilestones) shapes() []api.ServingMilestone {
	shapes := []api.ServingMilestone{}
	for _, milestone := range s {
		shapes = append(shapes, api.ServingMilestone{Project: milestone.Ref.Project, Milestone: milestone.Ref.Milestone, State: milestone.State})
	}
	return shapes
}

func (v *View) schedule(agreement *domain.Agreement, instrument *domain.Instrument, all servingMilestones) []api.ScheduleItem {
	shapes := []api.ScheduleItem{}
	for _, item := range instrument.Schedule {
		shapes = append(shapes, api.ScheduleItem{
			ID: item.ID, Title: item.Title, Kind: item.Kind, Count: nilIfZero(item.Total()), Note: item.Note,
			State: agreement.ItemProgress(instrument.ID, item.ID).State(), ItemFacts: itemFacts(&item, agreement.ItemProgress(instrument.ID, item.ID)),
			Milestones: all.filter(func(plan domain.Plan) bool { return instrument.ItemServedBy(plan, item.ID) }).shapes(),
		})
	}
	return shapes
}

func itemFacts(item *domain.ScheduleItem, progress domain.ItemProgress) api.ItemFacts {
	recorded := progress.Recordation
	facts := api.ItemFacts{
		Quantity: nilIfZero(item.Total()), Unit: item.Unit, DeliveredOn: nilIfZero(progress.DeliveredOn), RecordedOn: nilIfZero(recorded.On),
		Office: cmp.Or(recorded.Office, item.Office), Number: cmp.Or(recorded.Number, item.Number),
		OldHolder: cmp.Or(recorded.OldHolder, item.OldHolder), NewHolder: cmp.Or(recorded.NewHolder, item.NewHolder),
	}
	switch {
	case item.Total() == 0:
	case progress.DeliveredOn != 0: // an event of an earlier version has no quantity
		facts.DeliveredQuantity = facts.Quantity
	default:
		facts.DeliveredQuantity = new(progress.Delivered)
	}
	return facts
}

func obligations(instrument *domain.Instrument, all servingMilestones) []api.Obligation {
	shapes := []api.Obligation{}
	for _, obligation := range instrument.Obligations {
		mine := all.filter(obligation.ServedBy)
		shape := api.Obligation{
			Clause: obligation.Clause, Text: obligation.Text, Partner: obligation.Partner, State: "open",
			Milestones: mine.shapes(),
		}
		if domain.Fulfilled(mine) {
			shape.State = "fulfilled"
		}
		shapes = append(shapes, shape)
	}
	return shapes
}
