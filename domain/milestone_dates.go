package domain

import "time"

// maxClaimAge is how many working days before its recording a delivery can be dated without a reason.
const maxClaimAge = 5

// claimedDate validates the date of a delivery or completion. It is not in the future, and not before the work
// started, the first baseline was agreed, or the last delivery was rejected or withdrawn. A date of more than
// [maxClaimAge] working days ago needs a reason. Today is always valid: owners in different time zones can have
// different dates at one time.
func (m milestoneContext) claimedDate(on Date, reason string, dc DecisionContext) (check validation) {
	switch {
	case on > dc.Today:
		check.add("on", "%s is in the future; use today or an earlier date", on)
	case on == dc.Today:
	case on < m.StartedOn:
		check.add("on", "%s is before the start of the work on %s; use that day or a later one", on, m.StartedOn)
	case on < m.AgreedOn:
		check.add("on", "%s is before the baseline was agreed on %s; use that day or a later one", on, m.AgreedOn)
	case on < m.RoundEndedOn:
		check.add("on", "%s is before the end of delivery %d on %s; use that day or a later one", on, m.Round, m.RoundEndedOn)
	}
	if isBlank(reason) && dc.Today.WorkingDaysSince(on) > maxClaimAge {
		check.add("reason", "required for a date more than %d working days ago", maxClaimAge)
	}
	check.text("reason", reason, 2000, false)
	return check
}

// plannedDate refuses a due date or forecast in the past; zero is valid. An existing date may pass.
func (v *validation) plannedDate(field string, on Date, dc DecisionContext) {
	if on != 0 && on < dc.Today {
		v.add(field, "%s is in the past; use today or a later date", on)
	}
}

// recordedOn returns the date of recording for an event about a claimed date; zero if it is the claimed date.
func recordedOn(claimed Date, dc DecisionContext) Date {
	if claimed == dc.Today {
		return 0
	}
	return dc.Today
}

// today returns the date of an action on the milestone. It is never before the delivery, even if the owner moved to
// another time zone.
func (m *Milestone) today(dc DecisionContext) Date { return max(dc.Today, m.DeliveredOn) }

// dateOr returns on, or for an event stored before events had this date the earliest date that any time zone had
// when it was recorded.
func (h Header) dateOr(on Date) Date {
	if on != 0 {
		return on
	}
	return DateOf(h.RecordedAt.UTC().Add(-12 * time.Hour))
}
