package domain

// Obligation is what one partner owes under a clause of an instrument. Milestones name the clause that they
// serve, so that each side sees what is done about it: it is fulfilled when its milestones carry it, see
// [Carried].
type Obligation struct {
	Clause  string    `json:"clause"` // as the paper numbers it: 4.2
	Text    string    `json:"text"`
	Partner PartnerID `json:"partner"` // who owes it
}

// Obligation returns the obligation of the given clause, nil if there is none.
func (i *Instrument) Obligation(clause string) *Obligation {
	for n := range i.Obligations {
		if i.Obligations[n].Clause == clause {
			return &i.Obligations[n]
		}
	}
	return nil
}

func (i *Instrument) obligationFaults(a *Agreement, f *faults) {
	if len(i.Obligations) > 200 {
		f.add("obligations", "there are %d; at most 200 are allowed", len(i.Obligations))
		return
	}
	var clauses []string
	for _, o := range i.Obligations {
		f.line("obligations", o.Clause, 50, false)
		f.text("obligations", o.Text, 2000, false)
		if blank(o.Clause) || blank(o.Text) {
			f.add("obligations", "each needs a clause and a text")
		}
		if !a.Party(o.Partner) {
			f.add("obligations", "%q is not a party of the agreement", o.Partner)
		}
		clauses = append(clauses, o.Clause)
	}
	if c, twice := duplicate(clauses); twice {
		f.add("obligations", "clause %s is there twice", c)
	}
}

// clause refuses a clause that the milestone's instrument does not have.
func (f *faults) clause(a *Agreement, p Plan) {
	if p.Clause == "" {
		return
	}
	if p.Instrument == "" {
		f.add("clause", "needs its instrument")
		return
	}
	if i := a.Instrument(p.Instrument); i != nil && i.Obligation(p.Clause) == nil {
		f.add("clause", "instrument %s has no obligation in clause %q", p.Instrument, p.Clause)
	}
}
