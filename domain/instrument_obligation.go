package domain

// Obligation is a duty of one partner under a clause of an instrument. Milestones name the clause that they
// serve; the obligation is fulfilled when the milestones of the obliged partner are, see [Fulfilled].
type Obligation struct {
	Clause  string    `json:"clause"` // number in the document, such as 4.2
	Text    string    `json:"text"`
	Partner PartnerID `json:"partner"` // the obliged partner
}

// Obligation returns the obligation of the given clause, or nil.
func (i *Instrument) Obligation(clause string) *Obligation {
	for n := range i.Obligations {
		if i.Obligations[n].Clause == clause {
			return &i.Obligations[n]
		}
	}
	return nil
}

func (i *Instrument) validateObligations(agreement *Agreement, check *validation) {
	if len(i.Obligations) > 200 {
		check.add("obligations", "has %d; at most 200 are allowed", len(i.Obligations))
		return
	}
	var clauses []string
	for _, obligation := range i.Obligations {
		check.line("obligations", obligation.Clause, 50, false)
		check.text("obligations", obligation.Text, 2000, false)
		if isBlank(obligation.Clause) || isBlank(obligation.Text) {
			check.add("obligations", "each needs a clause and a text")
		}
		if !agreement.Party(obligation.Partner) {
			check.add("obligations", "%q is not a party of the agreement; name a party", obligation.Partner)
		}
		clauses = append(clauses, obligation.Clause)
	}
	if clause, twice := duplicate(clauses); twice {
		check.add("obligations", "clause %s is listed twice; list it once", clause)
	}
}
