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
		return "", args{"Change": event.Change, "Reason": event.Reason}
	case domain.ChangeVoided:
		suffix, text := "", "field."+event.Ground.Field
		if event.Ground.Field == "state" {
			suffix, text = "final", "state."+string(event.Ground.State)
		}
		return suffix, args{"Change": event.Change, "Milestone": fact.milestone(event.Ground.Milestone), "What": p.text(text, nil)}
	}
	return "", args{}
}

// proposedText formats changes as "“FP4 trial”: due date from 15 to 30 April 2018; “Report”: cancelled".
func (p *phrasebook) proposedText(fact Fact, event domain.ChangeProposed) string {
	words := make([]string, len(event.Milestones), len(event.Milestones)+len(event.Publish))
	for i, change := range event.Milestones {
		text := p.edits(fact).scope(change.From, change.To, true).join(p.style.clause)
		if change.Cancel {
			text = p.text("agreed.cancelled", nil)
		}
		words[i] = p.text("change.milestone", args{"Milestone": fact.milestone(change.Milestone), "What": text})
	}
	for _, id := range event.Publish {
		words = append(words, p.text("change.milestone", args{"Milestone": fact.milestone(id), "What": p.text("agreed.public", nil)}))
	}
	return strings.Join(words, p.style.semicolon)
}

// agreed returns the message about a baseline: the first one, a moved one, or one with other changes only.
func (p *phrasebook) agreed(fact Fact, event domain.MilestoneAgreed) (string, args) {
	from, to := event.From, event.To
	from.DueOn, to.DueOn = 0, 0 // the sentence begins with the date
	changes := p.edits(fact).scope(from, to, false)
	data := args{"Change": event.Change, "Reason": event.Reason, "Changes": changes.String(), "Title": event.From.Title}
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
