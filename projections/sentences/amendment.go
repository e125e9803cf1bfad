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
		return "", args{
			"Amendment": event.Amendment, "On": p.style.date(event.Signature.SignedOn), "Signatory": event.Signature.Signatory,
			"Remaining": p.names(fact, event.Remaining),
		}
	case domain.AmendmentRejected:
		return "", args{"Amendment": event.Amendment, "Reason": event.Reason}
	case domain.AmendmentWithdrawn:
		return "", args{"Amendment": event.Amendment}
	case domain.AmendmentVoided:
		text := p.text("ground."+event.Ground.Field, args{"Value": event.Ground.Instrument})
		return "", args{"Amendment": event.Amendment, "What": text}
	}
	return "", args{}
}

// amendmentText formats changes as "10 working days to decide a delivery; adds “Spare parts”; ZTE joins".
func (p *phrasebook) amendmentText(fact Fact, changes domain.AmendmentChanges, from domain.TermsChange) string {
	words := p.changedTerms(changes.Terms, from)
	words = append(words, p.instrumentChanges(changes)...)
	for _, joining := range changes.Join {
		words = append(words, p.text("terms.join", args{"Value": fact.Name(joining.Partner)}))
	}
	return strings.Join(words, p.style.semicolon)
}

func (p *phrasebook) changedTerms(to, from domain.TermsChange) (words []string) {
	add := func(id string, value any) { words = append(words, p.text("terms."+id, args{"Value": value})) }
	if to.Title != nil {
		add("title", *to.Title)
	}
	switch {
	case to.NoEnd:
		add("no_end", nil)
	case to.ExpiresOn != 0 && from.ExpiresOn != 0:
		add("expires_on", p.style.span(from.ExpiresOn, to.ExpiresOn))
	case to.ExpiresOn != 0:
		add("expires_on", p.style.date(to.ExpiresOn))
	}
	if to.AcceptanceDays != nil {
		add("acceptance_days", *to.AcceptanceDays)
	}
	if to.DeemedAcceptance != nil {
		add(map[bool]string{true: "deemed", false: "not_deemed"}[*to.DeemedAcceptance], nil)
	}
	if to.ForecastToleranceDays != nil {
		add("forecast_tolerance_days", *to.ForecastToleranceDays)
	}
	if to.Announced != nil {
		add(map[bool]string{true: "announced", false: "not_announced"}[*to.Announced], nil)
	}
	return words
}

// instrumentChanges names an instrument by its kind if the reader may not see its title.
func (p *phrasebook) instrumentChanges(changes domain.AmendmentChanges) (words []string) {
	for _, instrument := range changes.AddInstruments {
		if instrument.Title == "" {
			words = append(words, p.text("terms.add_undisclosed", args{"Value": p.kind(instrument.Kind)}))
			continue
		}
		words = append(words, p.text("terms.add", args{"Value": instrument.Title}))
	}
	for _, end := range changes.EndInstruments {
		if end.ID == "" {
			words = append(words, p.text("terms.end_undisclosed", args{"Value": p.kind(end.Kind)}))
			continue
		}
		data := args{"Value": cmp.Or(end.Title, string(end.ID))}
		if end.ExpiresOn != 0 {
			data["On"] = p.style.date(end.ExpiresOn)
		}
		words = append(words, p.text("terms.end", data))
	}
	return words
}
