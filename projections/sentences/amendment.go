package sentences

import (
	"cmp"
	"strings"

	"tandem/domain"
)

// amendment returns the message suffix and the arguments of an event of an amendment.
func (p *phrasebook) amendment(fact Fact) (string, args) {
	switch event := fact.Payload.(type) {
	case domain.AmendmentProposed:
		return "", args{"Amendment": event.Amendment, "Name": event.Title, "What": p.amendmentText(fact, event.Changes, event.From)}
	case domain.AmendmentSigned:
		data := args{
			"Amendment": event.Amendment, "On": p.style.date(event.Signature.SignedOn), "Signatory": event.Signature.Signatory,
			"Remaining": p.names(fact, event.Remaining),
		}
		return p.late(data, event.RecordedOn), data
	case domain.AmendmentRejected:
		return "", args{"Amendment": event.Amendment, "Reason": event.Reason}
	case domain.AmendmentWithdrawn:
		return "", args{"Reason": event.Reason, "Amendment": event.Amendment}
	case domain.AmendmentVoided:
		title := ""
		if event.Ground.Instrument != "" {
			title = fact.instrument(event.Ground.Instrument)
		}
		text := p.text("ground."+event.Ground.Field, args{"Value": title})
		return "", args{"Amendment": event.Amendment, "What": text}
	}
	return "", args{}
}

// amendmentText formats changes as "10 working days to decide a delivery; adds “Spare parts”; ZTE joins".
func (p *phrasebook) amendmentText(fact Fact, changes domain.AmendmentChanges, from domain.TermsChange) string {
	words := p.changedTerms(fact, changes.Terms, from)
	words = append(words, p.instrumentChanges(fact, changes.AddInstruments, changes.EndInstruments)...)
	for _, document := range changes.Documents {
		words = append(words, p.text("terms.document", args{"Value": document.Title}))
	}
	for _, joining := range changes.Join {
		words = append(words, p.text("terms.join", args{"Value": fact.Name(joining.Partner)}))
	}
	return strings.Join(words, p.style.semicolon)
}

func (p *phrasebook) changedTerms(fact Fact, to, from domain.TermsChange) []string {
	edits := p.edits(fact)
	if to.Title != nil {
		edits.title("title", value(from.Title), *to.Title)
	}
	if toKind := domain.TermOf(to.Term, to.ExpiresOn); to.ExpiresOn != 0 || to.NoEnd || to.Term != "" {
		fromKind := domain.TermOf(from.Term, from.ExpiresOn)
		if fromKind == toKind && from.ExpiresOn == to.ExpiresOn { // of an earlier version, without the previous term
			edits.value("term", "", p.term(toKind, to.ExpiresOn))
		}
		edits.end(fromKind, from.ExpiresOn, toKind, to.ExpiresOn)
	}
	if to.AcceptanceDays != nil {
		edits.days("acceptance_days", "days.working", value(from.AcceptanceDays), *to.AcceptanceDays)
	}
	if to.DeemedAcceptance != nil {
		edits.words = append(edits.words, p.deemed(*to.DeemedAcceptance))
	}
	if to.ForecastToleranceDays != nil {
		edits.days("forecast_tolerance_days", "days.calendar", value(from.ForecastToleranceDays), *to.ForecastToleranceDays)
	}
	if to.NoticeDays != nil {
		edits.days("notice_days", "days.calendar", value(from.NoticeDays), *to.NoticeDays)
	}
	if to.Announced != nil {
		edits.words = append(edits.words, p.announced(*to.Announced))
	}
	return edits.words
}

// amended formats the effect of an amendment.
func (p *phrasebook) amended(fact Fact, event domain.AgreementAmended) string {
	from, to := event.From, event.To
	from.Parties, to.Parties = nil, nil // those who joined are named
	edits := p.edits(fact).terms(from, to)
	edits.words = append(edits.words, p.instrumentChanges(fact, event.Added, event.Ended)...)
	if len(event.Joined) > 0 {
		edits.words = append(edits.words, p.text("terms.joined", args{"Value": p.names(fact, signers(event.Joined))}))
	}
	return edits.String()
}

// value returns the value that a pointer refers to, or the zero value for nil.
func value[T any](pointer *T) (value T) {
	if pointer != nil {
		value = *pointer
	}
	return value
}

// instrumentChanges names an instrument by its kind if the reader may not see its title.
func (p *phrasebook) instrumentChanges(fact Fact, added []domain.Instrument, ended []domain.InstrumentEnd) (words []string) {
	for _, instrument := range added {
		if instrument.Title == "" {
			words = append(words, p.text("terms.add_undisclosed", args{"Value": p.kind(instrument.Kind)}))
			continue
		}
		words = append(words, p.text("terms.add", args{"Value": instrument.Title}))
	}
	for _, end := range ended {
		if end.ID == "" {
			words = append(words, p.text("terms.end_undisclosed", args{"Value": p.kind(end.Kind)}))
			continue
		}
		data := args{"Value": cmp.Or(end.Title, fact.instrument(end.ID))}
		if end.ExpiresOn != 0 {
			data["On"] = p.style.date(end.ExpiresOn)
		}
		if end.ExpiresOn == 0 && end.Term != "" {
			words = append(words, p.text("terms.end_as", args{"Value": data["Value"], "Term": p.term(end.Term, 0)}))
			continue
		}
		words = append(words, p.text("terms.end", data))
	}
	return words
}
