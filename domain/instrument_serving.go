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

// instrumentRefs validates what the plan names of an instrument, as far as it differs from the plan before. An
// instrument, item or clause that the actor may not see is treated like one that does not exist.
func (v *validation) instrumentRefs(agreement *Agreement, actor PartnerID, to, from Plan) {
	refs := func(plan Plan) [3]string {
		return [3]string{string(plan.Instrument), string(plan.ScheduleItem), plan.Clause}
	}
	if refs(to) == refs(from) && to.Owner == from.Owner {
		return
	}
	instrument := v.partsOfInstrument(to)
	if instrument == "" {
		return
	}
	if refs(to) != refs(from) && !v.instrumentRef(agreement, actor, instrument) {
		return
	}
	whole := agreement.Instrument(instrument)
	if whole == nil { // added after the actor left
		return
	}
	shown := agreement.DisclosedInstrument(whole, actor)
	if refs(to) != refs(from) {
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

// keptRefs returns a plan that names another instrument without the item and clause of the present one, if the actor
// may not see them.
func (a *Agreement) keptRefs(actor PartnerID, plan Plan, other *InstrumentID) Plan {
	if other != nil && *other != plan.Instrument {
		_, plan.ScheduleItem, plan.Clause = a.DisclosedRefs(actor, plan.Instrument, plan.ScheduleItem, plan.Clause)
	}
	return plan
}
