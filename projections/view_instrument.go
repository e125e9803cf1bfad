package projections

import "tandem/domain"

// SeesInstrument reports whether the viewer may see the instrument.
func (v *View) SeesInstrument(a domain.AgreementID, i domain.InstrumentID) bool {
	n := v.agreement(a)
	return n != nil && v.as(n).Instrument(i) != nil
}

// SeesItem reports whether the viewer may see the schedule item.
func (v *View) SeesItem(a domain.AgreementID, i domain.InstrumentID, item domain.ItemID) bool {
	return v.SeesInstrument(a, i) && v.s.Agreement(a).Instrument(i).Item(item) != nil
}

// serving are the milestones that name an instrument, as far as the viewer may see them.
type serving []*domain.Milestone

func (v *View) serving(a domain.AgreementID, i domain.InstrumentID) (list serving) {
	for _, m := range v.s.Serving(a, i) {
		if p := v.s.Project(m.Ref.ProjectRef()); p != nil && m.Sees(v.who.Partner, p) {
			list = append(list, m)
		}
	}
	return list
}

// of returns those that the plan fits.
func (s serving) of(fits func(domain.Plan) bool) (list serving) {
	for _, m := range s {
		if fits(m.Plan) {
			list = append(list, m)
		}
	}
	return list
}

func (s serving) shapes() []ServingMilestone {
	shapes := []ServingMilestone{}
	for _, m := range s {
		shapes = append(shapes, ServingMilestone{m.Ref.Project, m.Ref.Milestone, m.State})
	}
	return shapes
}

func (v *View) schedule(a *domain.Agreement, i *domain.Instrument, all serving) []ScheduleItem {
	shapes := []ScheduleItem{}
	for _, item := range i.Schedule {
		shapes = append(shapes, ScheduleItem{
			ID: item.ID, Title: item.Title, Kind: item.Kind, Count: orNull(item.Count), Note: item.Note,
			State:      a.ItemState(i.ID, item.ID),
			Milestones: all.of(func(p domain.Plan) bool { return p.ScheduleItem == item.ID }).shapes(),
		})
	}
	return shapes
}

func obligations(i *domain.Instrument, all serving) []Obligation {
	shapes := []Obligation{}
	for _, o := range i.Obligations {
		mine := all.of(func(p domain.Plan) bool { return p.Clause == o.Clause })
		shape := Obligation{Clause: o.Clause, Text: o.Text, Partner: o.Partner, State: "open", Milestones: mine.shapes()}
		if domain.Carried(mine) {
			shape.State = "fulfilled"
		}
		shapes = append(shapes, shape)
	}
	return shapes
}
