package projections

import (
	"tandem/api"
	"tandem/domain"
)

// InstrumentVisible reports whether the viewer may see the instrument.
func (v *View) InstrumentVisible(agreement domain.AgreementID, instrument domain.InstrumentID) bool {
	node := v.agreement(agreement)
	return node != nil && v.agreementFor(node).Instrument(instrument) != nil
}

// ScheduleItemVisible reports whether the viewer may see the schedule item.
func (v *View) ScheduleItemVisible(agreement domain.AgreementID, instrument domain.InstrumentID, item domain.ItemID) bool {
	return v.InstrumentVisible(agreement, instrument) && v.store.Agreement(agreement).Instrument(instrument).Item(item) != nil
}

// servingMilestones are the milestones that name an instrument, as far as the viewer may see them.
type servingMilestones []*domain.Milestone

func (v *View) servingMilestones(agreement domain.AgreementID, instrument domain.InstrumentID) (list servingMilestones) {
	for _, milestone := range v.store.MilestonesOf(agreement, instrument) {
		if project := v.store.Project(milestone.Ref.ProjectRef()); project != nil && milestone.VisibleTo(v.viewer.Partner, project) {
			list = append(list, milestone)
		}
	}
	return list
}

// filter returns those that the plan fits.
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
			ID: item.ID, Title: item.Title, Kind: item.Kind, Count: nilIfZero(item.Count), Note: item.Note,
			State:      agreement.ItemState(instrument.ID, item.ID),
			Milestones: all.filter(func(plan domain.Plan) bool { return plan.ScheduleItem == item.ID }).shapes(),
		})
	}
	return shapes
}

func obligations(instrument *domain.Instrument, all servingMilestones) []api.Obligation {
	shapes := []api.Obligation{}
	for _, obligation := range instrument.Obligations {
		mine := all.filter(func(plan domain.Plan) bool { return plan.Clause == obligation.Clause })
		shape := api.Obligation{Clause: obligation.Clause, Text: obligation.Text, Partner: obligation.Partner, State: "open", Milestones: mine.shapes()}
		if domain.Fulfilled(mine) {
			shape.State = "fulfilled"
		}
		shapes = append(shapes, shape)
	}
	return shapes
}
