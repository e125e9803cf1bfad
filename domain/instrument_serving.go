package domain

import "slices"

// The roles of an instrument determine whose milestones serve it:
//
//   - An obligation is served by milestones that the obliged partner owns.
//   - An item of a supply is served by milestones of a supplier, an item of an assignment by those of an assignor, an
//     item of a cross-licence by those of a licensor; an item of another kind by those of any party.
//   - A milestone that names an instrument with roles is owned by a partner that the instrument names.
//
// A plan, an edit, a change request and a share are refused if they name a part that the owner cannot serve. A
// milestone of an earlier history that names such a part does not count for it. The fit is not checked for an actor
// that may not see the part, so that a refusal reveals no item or clause (R5).

// deliveryRoles lists the roles whose partners deliver the schedule items of each kind; none: any party does.
var deliveryRoles = map[InstrumentKind][]RoleName{
	PatentCrossLicence: {Licensors}, PatentAssignment: {Assignor}, Supply: {Supplier},
}

// holdsAny reports whether the partner has one of the roles.
func (i *Instrument) holdsAny(partner PartnerID, roles []RoleName) bool {
	return slices.ContainsFunc(roles, func(role RoleName) bool { return slices.Contains(i.Roles[role], partner) })
}

// deliversItems reports whether the partner's milestones serve the schedule items.
func (i *Instrument) deliversItems(partner PartnerID) bool {
	roles := deliveryRoles[i.Kind]
	return len(roles) == 0 || i.holdsAny(partner, roles)
}

// ItemServedBy reports whether a milestone with the plan serves the item.
func (i *Instrument) ItemServedBy(plan Plan, item ItemID) bool {
	return plan.ScheduleItem == item && i.deliversItems(plan.Owner)
}

// ServedBy reports whether a milestone with the plan serves the obligation.
func (o Obligation) ServedBy(plan Plan) bool {
	return plan.Clause == o.Clause && plan.Owner == o.Partner
}

// refs are the parts of an instrument that a plan names, or that a command wants it to name; nil: not mentioned.
type refs struct {
	instrument *InstrumentID
	item       *ItemID
	clause     *string
}

func (p Plan) refs() refs { return refs{&p.Instrument, &p.ScheduleItem, &p.Clause} }

// withRefs returns the plan with the references that are mentioned.
func (p Plan) withRefs(named refs) Plan {
	set(&p.Instrument, named.instrument)
	set(&p.ScheduleItem, named.item)
	set(&p.Clause, named.clause)
	return p
}

func (p Plan) sameRefs(other Plan) bool {
	return p.Instrument == other.Instrument && p.ScheduleItem == other.ScheduleItem && p.Clause == other.Clause
}

// shownPlan returns the plan without the references that a partner may not see.
func (a *Agreement) shownPlan(partner PartnerID, plan Plan) Plan {
	plan.Instrument, plan.ScheduleItem, plan.Clause = a.DisclosedRefs(partner, plan.Instrument, plan.ScheduleItem, plan.Clause)
	return plan
}

// keptRefs returns the plan with the references that it gets from a command of the actor. It keeps those that the actor
// may not see, so that the command has the same effect as without them, unless the actor names another instrument.
func (a *Agreement) keptRefs(actor PartnerID, to, from Plan, named refs) Plan {
	shown := a.shownPlan(actor, from)
	wanted := shown.withRefs(named)
	if wanted.Instrument == shown.Instrument {
		wanted.Instrument = from.Instrument
		if wanted.ScheduleItem == shown.ScheduleItem {
			wanted.ScheduleItem = from.ScheduleItem
		}
		if wanted.Clause == shown.Clause {
			wanted.Clause = from.Clause
		}
	}
	return to.withRefs(wanted.refs())
}

// instrumentRefs validates what a command names of an instrument, as far as it differs from the plan before. An
// instrument, item or clause that the actor may not see is treated like one that does not exist.
func (v *validation) instrumentRefs(agreement *Agreement, actor PartnerID, to, from Plan, named refs) {
	shownFrom := agreement.shownPlan(actor, from)
	to = to.withRefs(shownFrom.withRefs(named).refs())
	changed := !to.sameRefs(shownFrom)
	if !changed && to.Owner == from.Owner {
		return
	}
	instrument := v.partsOfInstrument(to)
	if instrument == "" || (changed && !v.instrumentRef(agreement, actor, instrument)) {
		return
	}
	shown := agreement.DisclosedInstrument(agreement.Instrument(instrument), actor)
	if changed {
		v.partRefs(&shown, to)
	}
	if shown.Detail() == DetailFull {
		v.ownerFits(&shown, to)
	}
}

// partsOfInstrument returns the plan's instrument, and refuses an item or a clause without one.
func (v *validation) partsOfInstrument(plan Plan) InstrumentID {
	if plan.Instrument == "" {
		if plan.ScheduleItem != "" {
			v.add("schedule_item", "needs its instrument; set instrument too")
		}
		if plan.Clause != "" {
			v.add("clause", "needs its instrument; set instrument too")
		}
	}
	return plan.Instrument
}

// instrumentRef refuses an instrument that does not exist or that the actor may not see.
func (v *validation) instrumentRef(agreement *Agreement, actor PartnerID, id InstrumentID) (known bool) {
	if id == "" {
		return false
	}
	instrument := agreement.Instrument(id)
	if instrument == nil || agreement.DetailFor(instrument, actor) == DetailKind {
		v.add("instrument", "the agreement has no instrument %q; name one of its instruments", id)
		return false
	}
	return true
}

func (v *validation) partRefs(shown *Instrument, plan Plan) {
	if plan.ScheduleItem != "" && shown.Item(plan.ScheduleItem) == nil {
		v.add("schedule_item", "instrument %s has no item %q; name one of its items", plan.Instrument, plan.ScheduleItem)
	}
	if plan.Clause != "" && shown.Obligation(plan.Clause) == nil {
		v.add("clause", "instrument %s has no obligation in clause %q; name one of its clauses", plan.Instrument, plan.Clause)
	}
}

// ownerFits refuses an owner that cannot serve what the plan names.
func (v *validation) ownerFits(instrument *Instrument, plan Plan) {
	if len(instrument.Roles) > 0 && !instrument.namesPartner(plan.Owner) {
		v.add("owner", "%s has no role in instrument %s; name a partner that has one", plan.Owner, instrument.ID)
		return
	}
	if plan.ScheduleItem != "" && !instrument.deliversItems(plan.Owner) {
		v.add("owner", "item %s of instrument %s is delivered by its %s, and %s is not one; name a partner with that role",
			plan.ScheduleItem, instrument.ID, deliveryRoles[instrument.Kind][0], plan.Owner)
	}
	if obligation := instrument.Obligation(plan.Clause); obligation != nil && !obligation.ServedBy(plan) {
		v.add("clause", "clause %s is an obligation of %s, and the milestone belongs to %s; name a clause of the owner", plan.Clause, obligation.Partner, plan.Owner)
	}
}
