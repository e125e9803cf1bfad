package sentences

import (
	"cmp"
	"strings"

	"tandem/domain"
)

// directory returns the message suffix and the arguments of an event of a partner's directory.
func (p *phrasebook) directory(fact Fact) (string, args) {
	switch event := fact.Payload.(type) {
	case domain.PartnerEdited:
		data := args{"From": event.From.Name, "To": event.To.Name, "Changes": p.edits(fact).profile(event.From, event.To).String()}
		if event.To.Name != event.From.Name {
			return "renamed", data
		}
		return "", data
	case domain.InvitationCreated:
		return "", args{"On": p.style.date(domain.DateOf(event.ExpiresAt.UTC())), "Note": event.Note}
	case domain.InvitationRedeemed:
		return "", args{"Partner": fact.Name(event.By)}
	case domain.NameReserved:
		return "", args{"Partner": fact.Name(event.Partner)}
	case domain.MemberAdded:
		return "", args{"Role": p.role(event.Role), "MaySign": event.MaySign}
	case domain.MemberEdited:
		return memberEdited(event), args{"Role": p.role(event.To), "From": p.role(event.From), "MaySign": event.MaySign != nil && *event.MaySign}
	case domain.TokenIssued:
		return "", args{"Name": event.Name, "Role": p.role(event.Role)}
	case domain.WebhookAdded:
		return "", args{"Place": event.Settings.DisplayAddress}
	case domain.WebhookEdited:
		return "", args{"Changes": p.edits(fact).webhook(event.From, event.To).String()}
	case domain.WebhookDisabled:
		return "", args{"Reason": p.disabledReason(event.Reason)}
	case domain.WebhookReplayRequested:
		if !event.Since.IsZero() {
			return "since", args{"Since": p.style.date(domain.DateOf(event.Since.UTC()))}
		}
	}
	return "", args{}
}

func memberEdited(event domain.MemberEdited) (suffix string) {
	switch {
	case event.To != event.From:
		return ""
	case event.MaySign == nil:
		return "details"
	case *event.MaySign:
		return "may_sign"
	default:
		return "may_not_sign"
	}
}

// agreement returns the message suffix and the arguments of an event of an agreement.
func (p *phrasebook) agreement(fact Fact) (string, args) {
	switch event := fact.Payload.(type) {
	case domain.AgreementDrafted:
		return "", args{"Parties": p.names(fact, event.Terms.Parties)}
	case domain.AgreementEdited:
		return "", args{"Title": event.From.Title, "Changes": p.edits(fact).terms(event.From, event.To).String(), "Voided": p.voided(fact, event.Voided)}
	case domain.AgreementSigned:
		data := args{"Signatory": event.Signature.Signatory, "On": p.style.date(event.Signature.SignedOn)}
		return p.late(data, event.RecordedOn), data
	case domain.AgreementActivated:
		if event.EffectiveOn != 0 {
			return "later", args{"On": p.style.date(event.EffectiveOn)}
		}
	case domain.AgreementDeclined:
		return "", args{"Reason": event.Reason}
	case domain.AgreementWithdrawn:
		return "", args{"Reason": event.Reason}
	case domain.TerminationCalled:
		return "", args{"On": p.style.date(event.EffectiveOn), "Reason": event.Reason, "Remaining": p.names(fact, event.Remaining)}
	case domain.NoticeGiven:
		suffix := ""
		if event.Leaves {
			suffix = "leaves"
		}
		return suffix, args{"On": p.style.date(event.EffectiveOn), "Reason": event.Reason}
	case domain.AgreementTerminated:
		return "", args{"On": p.style.date(event.EffectiveOn), "Reason": event.Reason}
	case domain.AgreementAmended:
		return "", args{"Title": event.From.Title, "Amendment": event.Amendment, "Changes": p.amended(fact, event)}
	}
	return p.parties(fact)
}

// parties returns the message suffix and the arguments of an event about the parties of an agreement.
func (p *phrasebook) parties(fact Fact) (string, args) {
	switch event := fact.Payload.(type) {
	case domain.ContactPersonsNamed:
		return p.contactPersons(fact, event)
	case domain.PartyRenamed:
		return "", args{"From": event.From, "To": event.To}
	case domain.PartiesAdded:
		return "", args{"Added": p.names(fact, event.Added), "Count": len(event.Added)}
	case domain.PartyInvited:
		return "", args{"Amendment": event.Amendment, "Partners": p.names(fact, event.Partners), "Count": len(event.Partners)}
	}
	return p.instrument(fact)
}

// late returns the suffix of a message about a claimed date, and adds the date of its recording if that is another.
func (p *phrasebook) late(data args, recordedOn domain.Date) (suffix string) {
	if recordedOn == 0 {
		return ""
	}
	data["Recorded"] = p.style.date(recordedOn)
	return "late"
}

func (p *phrasebook) contactPersons(fact Fact, event domain.ContactPersonsNamed) (string, args) {
	if len(event.Members) == 0 {
		return "cleared", args{}
	}
	names := make([]string, len(event.Members))
	for i, member := range event.Members {
		names[i] = p.named(fact, domain.MemberRef{Partner: event.Partner, Member: member})
	}
	return "", args{"Named": p.style.join(names), "Count": len(names)}
}

// instrument returns the message suffix and the arguments of an event of an instrument. A reader that may not see the
// instrument gets the event without titles.
func (p *phrasebook) instrument(fact Fact) (string, args) {
	switch event := fact.Payload.(type) {
	case domain.InstrumentAdded:
		data := args{"Instrument": event.Instrument.Title, "Kind": p.kind(event.Instrument.Kind), "Voided": p.voided(fact, event.Voided)}
		return disclosedVariant(event.Instrument.Title, ""), data
	case domain.InstrumentEdited:
		return p.instrumentEdited(fact, event)
	case domain.InstrumentRemoved:
		data := args{"Instrument": event.Instrument.Title, "Kind": p.kind(event.Instrument.Kind), "Voided": p.voided(fact, event.Voided)}
		return disclosedVariant(event.Instrument.Title, ""), data
	case domain.InstrumentNoted:
		if event.To == "" {
			return disclosedVariant(event.Title, "removed"), args{"Instrument": event.Title}
		}
		return disclosedVariant(event.Title, ""), args{"Instrument": event.Title, "Text": event.To}
	case domain.ItemMoved:
		return p.itemMoved(event)
	}
	return "", args{}
}

// instrumentEdited lists the changed fields.
func (p *phrasebook) instrumentEdited(fact Fact, event domain.InstrumentEdited) (string, args) {
	from, to := event.From, event.To
	data := args{"Instrument": cmp.Or(from.Title, to.Title), "Kind": p.kind(cmp.Or(to.Kind, from.Kind)), "Voided": p.voided(fact, event.Voided)}
	if from.Title == "" || to.Title == "" {
		return "undisclosed", data
	}
	edits := p.edits(fact)
	for _, value := range event.Previous() {
		switch value.Field {
		case "title":
			edits.title("title", from.Title, to.Title)
		case "kind":
			edits.value("kind", p.kind(from.Kind), p.kind(to.Kind))
		case "effective_on":
			edits.date("effective_on", from.EffectiveOn, to.EffectiveOn)
		case "expires_on":
			edits.end(from.TermKind(), from.ExpiresOn, to.TermKind(), to.ExpiresOn)
		case "term":
			if from.ExpiresOn == 0 && to.ExpiresOn == 0 { // otherwise the last day changed too
				edits.end(from.TermKind(), 0, to.TermKind(), 0)
			}
		case "disclosure":
			edits.value("disclosure", edits.word("disclosure", string(from.Disclosure)), edits.word("disclosure", string(to.Disclosure)))
		default:
			edits.text(value.Field, true)
		}
	}
	data["Changes"] = edits.String()
	return "", data
}

// quantity formats a number and its unit.
func (p *phrasebook) quantity(number int, unit string) string {
	return strings.TrimSpace(p.style.number(number) + " " + unit)
}

func (p *phrasebook) itemMoved(event domain.ItemMoved) (string, args) {
	data := args{
		"Item": event.Title, "Office": event.Office, "Number": event.Number, "OldHolder": event.OldHolder, "NewHolder": event.NewHolder,
		"Quantity": p.quantity(event.Quantity, event.Unit), "Delivered": p.style.number(event.Delivered), "Of": p.quantity(event.Of, event.Unit),
	}
	if event.On != 0 {
		data["On"] = p.style.date(event.On)
	}
	if event.Of != 0 {
		return "quantity", data
	}
	return disclosedVariant(event.Title, string(event.To)), data
}

// disclosedVariant returns the suffix of a message for an event of which the reader may not see the title.
func disclosedVariant(title, suffix string) string {
	if title != "" {
		return suffix
	}
	return strings.TrimSuffix("undisclosed."+suffix, ".")
}

func (p *phrasebook) kind(kind domain.InstrumentKind) string {
	return p.text("kind."+string(kind), nil)
}

// voided returns the clause about voided signatures; empty if there are none.
func (p *phrasebook) voided(fact Fact, partners []domain.PartnerID) string {
	if len(partners) == 0 {
		return ""
	}
	return p.text("voided", args{"Partners": p.names(fact, partners), "Count": len(partners)})
}

func signers(list []domain.Signature) []domain.PartnerID {
	ids := make([]domain.PartnerID, len(list))
	for i, signature := range list {
		ids[i] = signature.Partner
	}
	return ids
}

// project returns the message suffix and the arguments of an event of a project.
func (p *phrasebook) project(fact Fact) (string, args) {
	switch event := fact.Payload.(type) {
	case domain.ProjectCreated:
		return p.projectCreated(event)
	case domain.ProjectEdited:
		return "", args{"Title": event.From.Title, "Changes": p.edits(fact).project(event.From, event.To).String()}
	case domain.StageCalled:
		return p.stageCalled(fact, event)
	case domain.StageChanged:
		return string(event.Move), args{"Reason": event.Reason}
	case domain.LeadChanged:
		return "", args{"Lead": fact.Name(event.To), "From": fact.Name(event.From), "Reason": event.Reason}
	case domain.ParticipantLeft:
		return "", args{"Partner": fact.Name(event.Partner), "Reason": event.Reason}
	case domain.ParticipantsAdded:
		return "", args{"Added": p.names(fact, event.Added), "Count": len(event.Added), "Reason": event.Reason}
	case domain.DecideByMoved:
		if event.From == 0 {
			return "first", args{"On": p.style.date(event.To)}
		}
		return "", args{"Span": p.style.span(event.From, event.To)}
	}
	return "", args{}
}

func (p *phrasebook) projectCreated(event domain.ProjectCreated) (string, args) {
	suffix, data := "", args{}
	if event.Stage.Tentative() {
		suffix = string(event.Stage)
	}
	if event.DecideBy != 0 {
		data["On"] = p.style.date(event.DecideBy)
	} else if suffix == "exploring" {
		suffix = "" // from before explorations required a date
	}
	return suffix, data
}

func (p *phrasebook) stageCalled(fact Fact, event domain.StageCalled) (string, args) {
	call := event.Call
	suffix, data := string(call.Move), args{"Reason": call.Reason}
	if call.DecideBy != 0 {
		data["On"] = p.style.date(call.DecideBy)
	}
	if len(call.Add) > 0 {
		data["Added"] = p.names(fact, call.Add)
	}
	if call.Lead != "" {
		data["Lead"] = fact.Name(call.Lead)
	}
	if call.Leaving != "" {
		data["Leaving"] = fact.Name(call.Leaving)
		if call.Leaving != call.Partner {
			suffix += "_other"
		}
	}
	if call.Edit != nil {
		data["Changes"] = p.edits(fact).project(call.Edit.From, call.Edit.To).String()
	}
	if event.Withdrawn {
		suffix = "withdrawn_" + suffix
	}
	return suffix, data
}

// milestone returns the message suffix and the arguments of an event of a milestone.
func (p *phrasebook) milestone(fact Fact) (string, args) {
	switch event := fact.Payload.(type) {
	case domain.MilestonePlanned:
		return privateVariant(fact, ""), args{"On": p.style.date(event.Plan.DueOn)}
	case domain.MilestoneEdited:
		return "", args{"Title": event.From.Title, "Changes": p.edits(fact).plan(event.From, event.To).String()}
	case domain.MilestoneAgreed:
		return p.agreed(fact, event)
	case domain.MilestonePublished:
		return "", args{"Change": event.Change}
	case domain.MilestoneReported:
		return "", p.report(event.To)
	case domain.AssessmentReported:
		return "", p.report(domain.ReportFields{Health: event.To.Health, Note: event.To.Note})
	case domain.EvidenceKept:
		return "", args{"Round": event.Round, "Evidence": p.titles(event.Evidence)}
	case domain.ForecastMoved:
		return p.forecast(fact, event)
	case domain.MilestoneDelivered:
		if event.RecordedOn != 0 {
			return "late", args{
				"Round": event.Round, "On": p.style.date(event.On), "Recorded": p.style.date(event.RecordedOn), "Reason": event.Reason,
			}
		}
		return "", args{"Round": event.Round, "On": p.style.date(event.On)}
	case domain.MilestoneCompleted:
		if event.RecordedOn != 0 {
			return "late", args{"On": p.style.date(event.On), "Recorded": p.style.date(event.RecordedOn), "Reason": event.Reason}
		}
		return "", args{"On": p.style.date(event.On)}
	case domain.DeliveryWithdrawn:
		return "", args{"Round": event.Round, "Reason": event.Reason}
	case domain.MilestoneAccepted:
		return "", args{"Round": event.Round, "Note": event.Note, "Remaining": p.names(fact, event.Remaining)}
	case domain.MilestoneConditionallyAccepted:
		return "", args{
			"Round": event.Round, "Note": event.Note, "Remaining": p.names(fact, event.Remaining),
			"Conditions": p.conditions(event.Conditions), "Count": len(event.Conditions),
		}
	case domain.ConditionClosed:
		return "", args{"Number": event.Number, "Text": event.Text, "Open": p.openConditions(event.StillOpen)}
	case domain.ConditionReportedMet:
		return "", args{"Number": event.Number, "Text": event.Text, "Note": event.Note, "Evidence": p.titles(event.Evidence)}
	case domain.ConditionRefusedByAuthor:
		return "", args{"Number": event.Number, "Text": event.Text, "Reason": event.Reason}
	case domain.CriterionChecked:
		return string(event.Result), args{"Number": event.Number, "Text": event.Text, "Note": event.Note}
	case domain.MilestoneDisputed:
		if event.Condition != 0 {
			return "condition", args{"Number": event.Condition, "Acceptor": fact.Name(event.Acceptor), "Reason": event.Reason}
		}
		return "", args{"Round": event.Round, "Acceptor": fact.Name(event.Acceptor), "Reason": event.Reason}
	case domain.OutcomeNamed:
		return string(event.Settlement) + overCondition(event.Condition), args{
			"Round": event.Round, "Number": event.Condition, "Note": event.Note, "Remaining": p.names(fact, event.Remaining),
		}
	case domain.MilestoneSettled:
		return string(event.Settlement) + overCondition(event.Condition), args{"Round": event.Round, "Number": event.Condition}
	case domain.MilestoneRejected:
		return "", args{"Round": event.Round, "Reasons": strings.Join(event.Reasons, p.style.semicolon)}
	case domain.MilestoneDeclined:
		return "", args{"Reason": event.Reason}
	case domain.MilestoneCancelled:
		switch {
		case event.ProjectEnd != "":
			return "ended", args{"Reason": event.Reason}
		case event.Change != 0:
			return "agreed", args{"Reason": event.Reason, "Change": event.Change}
		}
		return "", args{"Reason": event.Reason}
	case domain.MilestoneWaived:
		if event.ProjectEnd != "" {
			return "ended", args{"Reason": event.Reason}
		}
		return "", args{"Remaining": p.names(fact, event.Remaining), "Reason": event.Reason}
	case domain.ResponsibleNamed:
		if event.Member == "" {
			return "cleared", args{}
		}
		return "", args{"Named": p.named(fact, domain.MemberRef{Partner: event.Partner, Member: event.Member})}
	case domain.MilestoneCommented:
		return privateVariant(fact, ""), args{"Text": event.Text}
	}
	return "", args{}
}

// overCondition returns the suffix of a message about a dispute over a condition; 0: over a rejection.
func overCondition(number int) string {
	if number == 0 {
		return ""
	}
	return ".condition"
}

// conditions formats conditions as "1. Signed report (by 13 April 2018); 2. Spare optics (by 30 April 2018)".
func (p *phrasebook) conditions(list []domain.Condition) string {
	words := make([]string, len(list))
	for i, condition := range list {
		words[i] = p.text("condition", args{"Number": condition.Number, "Text": condition.Text, "On": p.style.date(condition.DueOn)})
	}
	return strings.Join(words, p.style.semicolon)
}

// privateVariant returns the suffix of a message for an event that only one partner sees.
func privateVariant(fact Fact, suffix string) string {
	if !fact.Private {
		return suffix
	}
	return strings.TrimPrefix(suffix+".private", ".")
}

func (p *phrasebook) openConditions(count int) string {
	if count == 0 {
		return ""
	}
	return p.text("conditions.open", args{"Count": count})
}

// report lists the reported values.
func (p *phrasebook) report(fields domain.ReportFields) args {
	var words []string
	if fields.Percent != nil {
		words = append(words, p.text("report.percent", args{"Percent": *fields.Percent}))
	}
	if fields.Health != nil && *fields.Health != "" {
		words = append(words, p.text("health."+string(*fields.Health), nil))
	}
	if fields.Note != nil && *fields.Note != "" {
		words = append(words, *fields.Note)
	}
	return args{"Report": strings.Join(words, p.style.semicolon)}
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
