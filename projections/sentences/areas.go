package sentences

import (
	"strings"

	"tandem/domain"
)

// directory words what happens in a partner's directory.
func (p *phrasebook) directory(fact Fact) (string, args) {
	switch e := fact.Payload.(type) {
	case domain.MemberAdded:
		return "", args{"Role": p.role(e.Role)}
	case domain.MemberEdited:
		if e.To == e.From {
			return "details", args{}
		}
		return "", args{"Role": p.role(e.To)}
	case domain.TokenIssued:
		return "", args{"Name": e.Name, "Role": p.role(e.Role)}
	case domain.WebhookAdded:
		return "", args{"Place": e.Settings.DisplayAddress}
	case domain.WebhookEdited:
		if e.To.DisplayAddress != e.From.DisplayAddress {
			return "moved", args{"Place": e.To.DisplayAddress}
		}
	case domain.WebhookDisabled:
		return "", args{"Reason": e.Reason}
	case domain.WebhookReplayRequested:
		if !e.Since.IsZero() {
			return "since", args{"Since": p.style.date(domain.DateOf(e.Since.UTC()))}
		}
	}
	return "", args{}
}

// agreement words what happens to an agreement's terms.
func (p *phrasebook) agreement(fact Fact) (string, args) {
	switch e := fact.Payload.(type) {
	case domain.AgreementDrafted:
		return "", args{"Parties": p.names(fact, e.Terms.Parties)}
	case domain.AgreementEdited:
		return "", args{"Voided": p.names(fact, e.Voided)}
	case domain.AgreementSigned:
		return "", args{"Signatory": e.Signature.Signatory, "On": p.style.date(e.Signature.SignedOn)}
	case domain.TerminationCalled:
		return "", args{"On": p.style.date(e.EffectiveOn), "Reason": e.Reason, "Remaining": p.names(fact, e.Remaining)}
	case domain.NoticeGiven:
		suffix := ""
		if e.Leaves {
			suffix = "leaves"
		}
		return suffix, args{"On": p.style.date(e.EffectiveOn), "Reason": e.Reason}
	case domain.AgreementTerminated:
		return "", args{"On": p.style.date(e.EffectiveOn), "Reason": e.Reason}
	case domain.PartiesAdded:
		return "", args{"Added": p.names(fact, e.Added)}
	case domain.PartyInvited:
		return "", args{"Amendment": e.Amendment, "Partners": p.names(fact, e.Partners)}
	case domain.AgreementAmended:
		return "", args{"Amendment": e.Amendment, "Joined": p.names(fact, signers(e.Joined))}
	case domain.InstrumentAdded:
		return "", args{"Instrument": e.Instrument.Title, "Voided": p.names(fact, e.Voided)}
	case domain.InstrumentNoted:
		if e.To == "" {
			return "removed", args{"Instrument": e.Title}
		}
		return "", args{"Instrument": e.Title, "Text": e.To}
	case domain.ItemMoved:
		return string(e.To), args{"Item": e.Title}
	}
	return "", args{}
}

func signers(list []domain.Signature) []domain.PartnerID {
	ids := make([]domain.PartnerID, len(list))
	for i, signature := range list {
		ids[i] = signature.Partner
	}
	return ids
}

// project words what happens to a project itself.
func (p *phrasebook) project(fact Fact) (string, args) {
	switch e := fact.Payload.(type) {
	case domain.ProjectCreated:
		if e.Stage == domain.Exploring && e.DecideBy != 0 {
			return "exploring", args{"On": p.style.date(e.DecideBy)}
		}
		return "", args{}
	case domain.StageCalled:
		data := args{"Reason": e.Call.Reason}
		if e.Call.DecideBy != 0 {
			data["On"] = p.style.date(e.Call.DecideBy)
		}
		if len(e.Call.Add) > 0 {
			data["Added"] = p.names(fact, e.Call.Add)
		}
		if e.Withdrawn {
			return "withdrawn_" + string(e.Call.Move), data
		}
		return string(e.Call.Move), data
	case domain.StageChanged:
		return string(e.Move), args{"Reason": e.Reason}
	case domain.ParticipantsAdded:
		return "", args{"Added": p.names(fact, e.Added), "Reason": e.Reason}
	case domain.DecideByMoved:
		if e.From == 0 {
			return "first", args{"On": p.style.date(e.To)}
		}
		return "", args{"Span": p.style.span(e.From, e.To)}
	}
	return "", args{}
}

// milestone words what happens to a milestone.
func (p *phrasebook) milestone(fact Fact) (string, args) {
	switch e := fact.Payload.(type) {
	case domain.MilestonePlanned:
		return privateVariant(fact, ""), args{"On": p.style.date(e.Plan.DueOn)}
	case domain.MilestoneEdited:
		return p.edited(e)
	case domain.MilestoneAgreed:
		return p.agreed(e)
	case domain.MilestonePublished:
		return "", args{"Change": e.Change}
	case domain.MilestoneProgressed:
		return p.progressed(e)
	case domain.MilestoneAssessed:
		return p.assessed(e)
	case domain.EvidenceKept:
		return "", args{"Round": e.Round, "Evidence": p.titles(e.Evidence)}
	case domain.ForecastMoved:
		return p.forecast(fact, e)
	case domain.MilestoneDelivered:
		return "", args{"Round": e.Round, "On": p.style.date(e.On)}
	case domain.DeliveryWithdrawn:
		return "", args{"Round": e.Round}
	case domain.MilestoneAccepted:
		return "", args{"Round": e.Round, "Note": e.Note, "Remaining": p.names(fact, e.Remaining)}
	case domain.MilestoneConditionallyAccepted:
		return "", args{
			"Round": e.Round, "Note": e.Note, "Conditions": p.conditions(e.Conditions), "Remaining": p.names(fact, e.Remaining),
		}
	case domain.ConditionClosed:
		return "", args{"Number": e.Number, "Text": e.Text, "Open": e.StillOpen}
	case domain.MilestoneDisputed:
		return "", args{"Round": e.Round, "Acceptor": fact.Name(e.Acceptor), "Reason": e.Reason}
	case domain.OutcomeNamed:
		return string(e.Settlement), args{"Round": e.Round, "Note": e.Note, "Remaining": p.names(fact, e.Remaining)}
	case domain.MilestoneSettled:
		return string(e.Settlement), args{"Round": e.Round}
	case domain.MilestoneRejected:
		return "", args{"Round": e.Round, "Reasons": strings.Join(e.Reasons, p.style.semicolon)}
	case domain.MilestoneCancelled:
		if e.Change != 0 {
			return "agreed", args{"Reason": e.Reason, "Change": e.Change}
		}
		return "", args{"Reason": e.Reason}
	case domain.MilestoneWaived:
		return "", args{"Remaining": p.names(fact, e.Remaining)}
	case domain.MilestoneCommented:
		return privateVariant(fact, ""), args{"Text": e.Text}
	}
	return "", args{}
}

// conditions writes "1. Signed report (by 13 April 2018); 2. Spare optics (by 30 April 2018)".
func (p *phrasebook) conditions(list []domain.Condition) string {
	words := make([]string, len(list))
	for i, condition := range list {
		words[i] = p.text("condition", args{"Number": condition.Number, "Text": condition.Text, "On": p.style.date(condition.DueOn)})
	}
	return strings.Join(words, p.style.semicolon)
}

// privateVariant names the variant of a message for what only one partner sees.
func privateVariant(fact Fact, suffix string) string {
	if !fact.Private {
		return suffix
	}
	return strings.TrimPrefix(suffix+".private", ".")
}

// edited says the date that moved, if one did; it is what readers look for.
func (p *phrasebook) edited(event domain.MilestoneEdited) (string, args) {
	if event.To.DueOn != event.From.DueOn && event.From.DueOn != 0 {
		return "moved", args{"Span": p.style.span(event.From.DueOn, event.To.DueOn)}
	}
	return "", args{}
}

func (p *phrasebook) progressed(event domain.MilestoneProgressed) (string, args) {
	data := args{"Percent": event.To.Percent, "Note": event.To.Note}
	if event.To.Health != event.From.Health && event.To.Health != "" {
		data["Health"] = p.text("health."+string(event.To.Health), nil)
		return "health", data
	}
	return "", data
}

func (p *phrasebook) assessed(event domain.MilestoneAssessed) (string, args) {
	if event.To.Health == "" {
		return "note", args{"Note": event.To.Note}
	}
	return "", args{"Health": p.text("health."+string(event.To.Health), nil), "Note": event.To.Note}
}

func (p *phrasebook) titles(list []domain.Evidence) string {
	words := make([]string, len(list))
	for i, evidence := range list {
		words[i] = evidence.Title
	}
	return strings.Join(words, p.style.semicolon)
}

func (p *phrasebook) forecast(fact Fact, event domain.ForecastMoved) (string, args) {
	if event.From == 0 {
		return privateVariant(fact, "first"), args{"On": p.style.date(event.To.On), "Reason": event.To.Reason}
	}
	return privateVariant(fact, ""), args{"Span": p.style.span(event.From, event.To.On), "Reason": event.To.Reason}
}
