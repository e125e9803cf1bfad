package sentences

import (
	"strings"

	"tandem/domain"
)

// amendment words what happens to an amendment.
func (v *voice) amendment(f Fact) (string, args) {
	switch e := f.Payload.(type) {
	case domain.AmendmentProposed:
		return "", args{"Amendment": e.Amendment, "Name": e.Title, "What": v.wanted(f, e.Changes, e.From)}
	case domain.AmendmentSigned:
		return "", args{
			"Amendment": e.Amendment, "On": v.style.date(e.Signature.SignedOn), "Signatory": e.Signature.Signatory,
			"Remaining": v.names(f, e.Remaining),
		}
	case domain.AmendmentRejected:
		return "", args{"Amendment": e.Amendment, "Reason": e.Reason}
	case domain.AmendmentWithdrawn:
		return "", args{"Amendment": e.Amendment}
	case domain.AmendmentVoided:
		what := v.say("ground."+e.Ground.Field, args{"Value": e.Ground.Instrument})
		return "", args{"Amendment": e.Amendment, "What": what}
	}
	return "", args{}
}

// wanted writes "10 working days to decide a delivery; adds “Spare parts”; ZTE joins".
func (v *voice) wanted(f Fact, c domain.AmendmentChanges, from domain.TermsChange) string {
	words := v.terms(c.Terms, from)
	for _, i := range c.AddInstruments {
		words = append(words, v.say("terms.add", args{"Value": i.Title}))
	}
	for _, e := range c.EndInstruments {
		words = append(words, v.say("terms.end", args{"Value": e.ID, "On": v.style.date(e.ExpiresOn)}))
	}
	for _, j := range c.Join {
		words = append(words, v.say("terms.join", args{"Value": f.Name(j.Partner)}))
	}
	return strings.Join(words, v.style.semicolon)
}

func (v *voice) terms(to, from domain.TermsChange) (words []string) {
	add := func(id string, value any) { words = append(words, v.say("terms."+id, args{"Value": value})) }
	if to.Title != nil {
		add("title", *to.Title)
	}
	switch {
	case to.NoEnd:
		add("no_end", nil)
	case to.ExpiresOn != 0 && from.ExpiresOn != 0:
		add("expires_on", v.style.span(from.ExpiresOn, to.ExpiresOn))
	case to.ExpiresOn != 0:
		add("expires_on", v.style.date(to.ExpiresOn))
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
	return words
}
