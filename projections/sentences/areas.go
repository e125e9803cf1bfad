package sentences

import (
	"strings"

	"tandem/domain"
)

// directory words what happens in a partner's directory.
func (v *voice) directory(f Fact) (string, args) {
	switch e := f.Payload.(type) {
	case domain.MemberAdded:
		return "", args{"Role": v.role(e.Role)}
	case domain.MemberEdited:
		if e.To == e.From {
			return "details", args{}
		}
		return "", args{"Role": v.role(e.To)}
	case domain.TokenIssued:
		return "", args{"Name": e.Name, "Role": v.role(e.Role)}
	case domain.WebhookAdded:
		return "", args{"Place": e.Settings.Place}
	case domain.WebhookEdited:
		if e.To.Place != e.From.Place {
			return "moved", args{"Place": e.To.Place}
		}
	case domain.WebhookDisabled:
		return "", args{"Reason": e.Reason}
	case domain.WebhookReplayRequested:
		if !e.Since.IsZero() {
			return "since", args{"Since": v.style.date(domain.DateOf(e.Since.UTC()))}
		}
	}
	return "", args{}
}

// agreement words what happens to an agreement's terms.
func (v *voice) agreement(f Fact) (string, args) {
	switch e := f.Payload.(type) {
	case domain.AgreementDrafted:
		return "", args{"Parties": v.names(f, e.Terms.Parties)}
	case domain.AgreementEdited:
		return "", args{"Voided": v.names(f, e.Voided)}
	case domain.AgreementSigned:
		return "", args{"Signatory": e.Signature.Signatory, "On": v.style.date(e.Signature.SignedOn)}
	case domain.TerminationCalled:
		return "", args{"On": v.style.date(e.EffectiveOn), "Reason": e.Reason, "Remaining": v.names(f, e.Remaining)}
	case domain.NoticeGiven:
		suffix := ""
		if e.Leaves {
			suffix = "leaves"
		}
		return suffix, args{"On": v.style.date(e.EffectiveOn), "Reason": e.Reason}
	case domain.AgreementTerminated:
		return "", args{"On": v.style.date(e.EffectiveOn), "Reason": e.Reason}
	case domain.PartiesAdded:
		return "", args{"Added": v.names(f, e.Added)}
	case domain.PartyInvited:
		return "", args{"Amendment": e.Amendment, "Partners": v.names(f, e.Partners)}
	case domain.AgreementAmended:
		return "", args{"Amendment": e.Amendment, "Joined": v.names(f, signers(e.Joined))}
	case domain.InstrumentAdded:
		return "", args{"Instrument": e.Instrument.Title, "Voided": v.names(f, e.Voided)}
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
	for i, s := range list {
		ids[i] = s.Partner
	}
	return ids
}

// project words what happens to a project itself.
func (v *voice) project(f Fact) (string, args) {
	switch e := f.Payload.(type) {
	case domain.ProjectCreated:
		if e.Stage == domain.Exploring && e.DecideBy != 0 {
			return "exploring", args{"On": v.style.date(e.DecideBy)}
		}
		return "", args{}
	case domain.StageCalled:
		data := args{"Reason": e.Call.Reason}
		if e.Call.DecideBy != 0 {
			data["On"] = v.style.date(e.Call.DecideBy)
		}
		if len(e.Call.Add) > 0 {
			data["Added"] = v.names(f, e.Call.Add)
		}
		if e.Withdrawn {
			return "withdrawn_" + string(e.Call.Move), data
		}
		return string(e.Call.Move), data
	case domain.StageChanged:
		return string(e.Move), args{"Reason": e.Reason}
	case domain.ParticipantsAdded:
		return "", args{"Added": v.names(f, e.Added), "Reason": e.Reason}
	case domain.DecideByMoved:
		if e.From == 0 {
			return "first", args{"On": v.style.date(e.To)}
		}
		return "", args{"Span": v.style.span(e.From, e.To)}
	}
	return "", args{}
}

// milestone words what happens to a milestone.
func (v *voice) milestone(f Fact) (string, args) {
	switch e := f.Payload.(type) {
	case domain.MilestonePlanned:
		return privately(f, ""), args{"On": v.style.date(e.Plan.DueOn)}
	case domain.MilestoneEdited:
		return v.edited(e)
	case domain.MilestoneAgreed:
		return v.agreed(e)
	case domain.MilestonePublished:
		return "", args{"Change": e.Change}
	case domain.MilestoneProgressed:
		return v.progressed(e)
	case domain.MilestoneAssessed:
		return v.assessed(e)
	case domain.EvidenceKept:
		return "", args{"Round": e.Round, "Evidence": v.titles(e.Evidence)}
	case domain.ForecastMoved:
		return v.forecast(f, e)
	case domain.MilestoneDelivered:
		return "", args{"Round": e.Round, "On": v.style.date(e.On)}
	case domain.DeliveryWithdrawn:
		return "", args{"Round": e.Round}
	case domain.MilestoneAccepted:
		return "", args{"Round": e.Round, "Note": e.Note, "Remaining": v.names(f, e.Remaining)}
	case domain.MilestoneConditionallyAccepted:
		return "", args{
			"Round": e.Round, "Note": e.Note, "Conditions": v.conditions(e.Conditions), "Remaining": v.names(f, e.Remaining),
		}
	case domain.ConditionClosed:
		return "", args{"Number": e.Number, "Text": e.Text, "Open": e.StillOpen}
	case domain.MilestoneDisputed:
		return "", args{"Round": e.Round, "Acceptor": f.Name(e.Acceptor), "Reason": e.Reason}
	case domain.OutcomeNamed:
		return string(e.Outcome), args{"Round": e.Round, "Note": e.Note, "Remaining": v.names(f, e.Remaining)}
	case domain.MilestoneSettled:
		return string(e.Outcome), args{"Round": e.Round}
	case domain.MilestoneRejected:
		return "", args{"Round": e.Round, "Reasons": strings.Join(e.Reasons, v.style.semicolon)}
	case domain.MilestoneCancelled:
		if e.Change != 0 {
			return "agreed", args{"Reason": e.Reason, "Change": e.Change}
		}
		return "", args{"Reason": e.Reason}
	case domain.MilestoneWaived:
		return "", args{"Remaining": v.names(f, e.Remaining)}
	case domain.MilestoneCommented:
		return privately(f, ""), args{"Text": e.Text}
	}
	return "", args{}
}

// conditions writes "1. Signed report (by 13 April 2018); 2. Spare optics (by 30 April 2018)".
func (v *voice) conditions(list []domain.Condition) string {
	words := make([]string, len(list))
	for i, c := range list {
		words[i] = v.say("condition", args{"Number": c.Number, "Text": c.Text, "On": v.style.date(c.DueOn)})
	}
	return strings.Join(words, v.style.semicolon)
}

// privately names the variant of a message for what only one partner sees.
func privately(f Fact, suffix string) string {
	if !f.Private {
		return suffix
	}
	return strings.TrimPrefix(suffix+".private", ".")
}

// edited says the date that moved, if one did; it is what readers look for.
func (v *voice) edited(e domain.MilestoneEdited) (string, args) {
	if e.To.DueOn != e.From.DueOn && e.From.DueOn != 0 {
		return "moved", args{"Span": v.style.span(e.From.DueOn, e.To.DueOn)}
	}
	return "", args{}
}

func (v *voice) progressed(e domain.MilestoneProgressed) (string, args) {
	data := args{"Percent": e.To.Percent, "Note": e.To.Note}
	if e.To.Health != e.From.Health && e.To.Health != "" {
		data["Health"] = v.say("health."+string(e.To.Health), nil)
		return "health", data
	}
	return "", data
}

func (v *voice) assessed(e domain.MilestoneAssessed) (string, args) {
	if e.To.Health == "" {
		return "note", args{"Note": e.To.Note}
	}
	return "", args{"Health": v.say("health."+string(e.To.Health), nil), "Note": e.To.Note}
}

func (v *voice) titles(list []domain.Evidence) string {
	words := make([]string, len(list))
	for i, e := range list {
		words[i] = e.Title
	}
	return strings.Join(words, v.style.semicolon)
}

func (v *voice) forecast(f Fact, e domain.ForecastMoved) (string, args) {
	if e.From == 0 {
		return privately(f, "first"), args{"On": v.style.date(e.To.On), "Reason": e.To.Reason}
	}
	return privately(f, ""), args{"Span": v.style.span(e.From, e.To.On), "Reason": e.To.Reason}
}
