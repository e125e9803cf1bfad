package sentences

import (
	"strings"

	"tandem/domain"
)

// change returns the message suffix and the arguments of an event of a change request.
func (p *phrasebook) change(fact Fact) (string, args) {
	switch event := fact.Payload.(type) {
	case domain.ChangeProposed:
		return "", args{"Change": event.Change, "Reason": event.Reason, "Milestones": p.proposedText(fact, event)}
	case domain.ChangeApproved:
		return "", args{"Change": event.Change, "Remaining": p.names(fact, event.Remaining)}
	case domain.ChangeRejected:
		return "", args{"Change": event.Change, "Reason": event.Reason}
	case domain.ChangeWithdrawn:
		return "", args{"Change": event.Change}
	case domain.ChangeVoided:
		suffix, text := "", event.Ground.Field
		if text == "state" {
			suffix, text = "final", string(event.Ground.State)
		}
		return suffix, args{"Change": event.Change, "Milestone": event.Ground.Milestone, "What": p.text("agreed."+text, nil)}
	}
	return "", args{}
}

// proposedText formats changes as "fp4-trial: due date from 15 to 30 April 2018; report: cancelled".
func (p *phrasebook) proposedText(fact Fact, event domain.ChangeProposed) string {
	words := make([]string, len(event.Milestones), len(event.Milestones)+len(event.Publish))
	for i, change := range event.Milestones {
		text := p.changedFields(fact, change)
		if change.Cancel {
			text = p.text("agreed.cancelled", nil)
		}
		words[i] = p.text("change.milestone", args{"Milestone": change.Milestone, "What": text})
	}
	for _, id := range event.Publish {
		words = append(words, p.text("change.milestone", args{"Milestone": id, "What": p.text("agreed.public", nil)}))
	}
	return strings.Join(words, p.style.semicolon)
}

func (p *phrasebook) changedFields(fact Fact, change domain.ProposedChange) string {
	words := p.changedScope(change)
	add := func(field, value string) {
		words = append(words, p.text("change.field", args{"Field": p.text("agreed."+field, nil), "Value": value}))
	}
	switch {
	case change.To.DueOn == 0:
	case change.From.DueOn == change.To.DueOn || change.From.DueOn == 0:
		add("due_on", p.style.date(change.To.DueOn))
	default:
		add("due_on", p.style.span(change.From.DueOn, change.To.DueOn))
	}
	if change.To.Owner != "" {
		add("owner", fact.Name(change.To.Owner))
	}
	if len(change.To.Acceptors) > 0 {
		add("acceptors", p.names(fact, change.To.Acceptors))
	}
	if change.To.Criteria != nil && len(*change.To.Criteria) > 0 {
		add("criteria", strings.Join(*change.To.Criteria, p.style.comma))
	} else if change.To.Criteria != nil && change.From.Criteria != nil && len(*change.From.Criteria) > 0 {
		words = append(words, p.text("agreed.no_criteria", nil))
	}
	return strings.Join(words, p.style.comma)
}

// agreed returns the message about a baseline: the first one, a moved one, or one with other changes only.
func (p *phrasebook) agreed(event domain.MilestoneAgreed) (string, args) {
	data := args{"Change": event.Change, "Reason": event.Reason}
	switch {
	case event.BaselineFrom == 0:
		data["On"] = p.style.date(event.To.DueOn)
		return "first", data
	case event.BaselineFrom != event.To.DueOn:
		data["Span"] = p.style.span(event.BaselineFrom, event.To.DueOn)
		return "moved", data
	}
	return "", data
}
