package sentences

import (
	"strings"

	"tandem/domain"
)

// change words what happens to a change request.
func (v *voice) change(f Fact) (string, args) {
	switch e := f.Payload.(type) {
	case domain.ChangeProposed:
		return "", args{"Change": e.Change, "Reason": e.Reason, "Milestones": v.proposed(f, e)}
	case domain.ChangeApproved:
		return "", args{"Change": e.Change, "Remaining": v.names(f, e.Remaining)}
	case domain.ChangeRejected:
		return "", args{"Change": e.Change, "Reason": e.Reason}
	case domain.ChangeWithdrawn:
		return "", args{"Change": e.Change}
	case domain.ChangeVoided:
		suffix, what := "", e.Ground.Field
		if what == "state" {
			suffix, what = "final", string(e.Ground.State)
		}
		return suffix, args{"Change": e.Change, "Milestone": e.Ground.Milestone, "What": v.say("agreed."+what, nil)}
	}
	return "", args{}
}

// proposed writes "fp4-trial: due date from 15 to 30 April 2018; report: cancelled".
func (v *voice) proposed(f Fact, e domain.ChangeProposed) string {
	words := make([]string, len(e.Milestones), len(e.Milestones)+len(e.Publish))
	for i, c := range e.Milestones {
		what := v.fields(f, c)
		if c.Cancel {
			what = v.say("agreed.cancelled", nil)
		}
		words[i] = v.say("change.milestone", args{"Milestone": c.Milestone, "What": what})
	}
	for _, id := range e.Publish {
		words = append(words, v.say("change.milestone", args{"Milestone": id, "What": v.say("agreed.public", nil)}))
	}
	return strings.Join(words, v.style.semicolon)
}

func (v *voice) fields(f Fact, c domain.ProposedChange) string {
	var words []string
	add := func(field, value string) {
		words = append(words, v.say("change.field", args{"Field": v.say("agreed."+field, nil), "Value": value}))
	}
	switch {
	case c.To.DueOn == 0:
	case c.From.DueOn == c.To.DueOn || c.From.DueOn == 0:
		add("due_on", v.style.date(c.To.DueOn))
	default:
		add("due_on", v.style.span(c.From.DueOn, c.To.DueOn))
	}
	if c.To.Owner != "" {
		add("owner", f.Name(c.To.Owner))
	}
	if len(c.To.Acceptors) > 0 {
		add("acceptors", v.names(f, c.To.Acceptors))
	}
	if c.To.Criteria != nil && len(*c.To.Criteria) > 0 {
		add("criteria", strings.Join(*c.To.Criteria, v.style.comma))
	} else if c.To.Criteria != nil && c.From.Criteria != nil && len(*c.From.Criteria) > 0 {
		words = append(words, v.say("agreed.no_criteria", nil))
	}
	return strings.Join(words, v.style.comma)
}

// agreed says the baseline, and how it moved.
func (v *voice) agreed(e domain.MilestoneAgreed) (string, args) {
	data := args{"Change": e.Change, "Reason": e.Reason}
	switch {
	case e.BaselineFrom == 0:
		data["On"] = v.style.date(e.To.DueOn)
		return "first", data
	case e.BaselineFrom != e.To.DueOn:
		data["Span"] = v.style.span(e.BaselineFrom, e.To.DueOn)
		return "moved", data
	}
	return "", data
}
