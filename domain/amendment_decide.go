package domain

import "slices"

// ProposeAmendment begins an amendment; its number is the next of the agreement. Who proposes can give
// it a key of its own, to find it by. The edge has checked that those who join exist and that the
// caller may know them.
type ProposeAmendment struct {
	ID      AgreementID      `json:"id"`
	Key     string           `json:"key,omitempty"`
	Title   string           `json:"title"`
	Changes AmendmentChanges `json:"changes"`
}

// AmendmentProposed is the first event of an amendment. Parties are those who sign before anybody is
// invited.
type AmendmentProposed struct {
	Amendment int              `json:"amendment"`
	Key       string           `json:"key,omitempty"`
	By        PartnerID        `json:"by"`
	Title     string           `json:"title"`
	Changes   AmendmentChanges `json:"changes"`
	From      TermsChange      `json:"from,omitzero"`
	Parties   []PartnerID      `json:"parties"`
}

// Stream implements Command.
func (c ProposeAmendment) Stream() Stream { return Stream{Agreement: c.ID} }

func (c ProposeAmendment) decide(s State, m Meta) ([]Event, error) {
	a, err := readerOf(s, c.ID, m)
	if err != nil {
		return nil, err
	}
	e := AmendmentProposed{len(a.Amendments) + 1, c.Key, m.Actor.Partner, c.Title, c.Changes, TermsChange{}, a.present(a.Terms.Parties, m.At)}
	e.From, e.Changes.Terms = differingTerms(a.Terms, c.Changes.Terms.over(a.Terms))
	e.Changes.EndInstruments = slices.Clone(c.Changes.EndInstruments)
	for n, end := range e.Changes.EndInstruments {
		if i := a.Instrument(end.ID); i != nil {
			e.Changes.EndInstruments[n].From = i.ExpiresOn
		}
	}
	if err := c.faults(a, e.Changes, m).err(); err != nil {
		return nil, err
	}
	if err := a.partyManager(m); err != nil {
		return nil, err
	}
	if err := a.amendable(m); err != nil {
		return nil, err
	}
	return shared("", e), nil
}

func (c ProposeAmendment) faults(a *Agreement, differing AmendmentChanges, m Meta) (f faults) {
	f.line("title", c.Title, 200, true)
	var within faults
	to := differing.Terms.over(a.Terms)
	within.joiners(a, c.Changes.Join)
	for _, j := range c.Changes.Join {
		to.Parties = with(to.Parties, j.Partner)
	}
	if c.Changes.Terms.ExpiresOn != 0 && c.Changes.Terms.NoEnd {
		within.add("expires_on", "cannot be a day and none")
	}
	within.future("expires_on", differing.Terms.ExpiresOn, m)
	within = append(within, differing.termsFaults(to)...)
	within.instruments(a, to, differing, m)
	if differing.nothing() && len(within) == 0 {
		f.add("changes", "change nothing")
	}
	for _, fault := range within {
		f.add("changes", "%s %s", fault.Field, fault.Message)
	}
	return f
}

// nothing reports whether nothing is wanted.
func (c AmendmentChanges) nothing() bool {
	return c.Terms == TermsChange{} && len(c.AddInstruments) == 0 && len(c.EndInstruments) == 0 && len(c.Join) == 0
}

// termsFaults leaves the parties out: who joins is checked for itself.
func (c AmendmentChanges) termsFaults(to Terms) faults {
	return slices.DeleteFunc(to.faults(), func(e FieldError) bool { return e.Field == "parties" })
}

// future refuses a last day that has passed.
func (f *faults) future(field string, d Date, m Meta) {
	if d != 0 && d < DateOf(m.At.UTC()) {
		f.add(field, "is in the past")
	}
}

func (f *faults) joiners(a *Agreement, list []Joining) {
	var named []PartnerID
	for _, j := range list {
		f.slug("join", string(j.Partner))
		switch {
		case a.Party(j.Partner):
			f.add("join", "%s is a party already", j.Partner)
		case slices.Contains(named, j.Partner):
			f.add("join", "%s is named twice", j.Partner)
		}
		named = append(named, j.Partner)
	}
	if len(list) > 20 {
		f.add("join", "names %d; at most 20 are allowed", len(list))
	}
}

// instruments checks what is added as it will be, among the parties that there will be.
func (f *faults) instruments(a *Agreement, to Terms, c AmendmentChanges, m Meta) {
	if len(c.AddInstruments) > 50 || len(c.EndInstruments) > 50 {
		f.add("instruments", "at most 50 are added or ended at once")
		return
	}
	if len(a.Instruments)+len(c.AddInstruments) > mostInstruments {
		f.add("add_instruments", "the agreement would have more than %d", mostInstruments)
		return
	}
	var named []InstrumentID
	for _, i := range c.AddInstruments {
		for _, fault := range i.faults(&Agreement{Terms: to}) {
			f.add("add_instruments", "%s: %s %s", i.ID, fault.Field, fault.Message)
		}
		if a.Instrument(i.ID) != nil || slices.Contains(named, i.ID) {
			f.add("add_instruments", "there is an instrument %s already", i.ID)
		}
		named = append(named, i.ID)
	}
	for _, e := range c.EndInstruments {
		i := a.Instrument(e.ID)
		switch {
		case i == nil:
			f.add("end_instruments", "the agreement has no instrument %q", e.ID)
		case e.ExpiresOn == 0:
			f.add("end_instruments", "%s: expires_on is required", e.ID)
		case e.ExpiresOn < i.EffectiveOn:
			f.add("end_instruments", "%s: expires_on is before effective_on", e.ID)
		case e.ExpiresOn == i.ExpiresOn:
			f.add("end_instruments", "%s ends on %s already", e.ID, e.ExpiresOn)
		case slices.Contains(named, e.ID):
			f.add("end_instruments", "%s is named twice", e.ID)
		}
		f.future("end_instruments", e.ExpiresOn, m)
		named = append(named, e.ID)
	}
}

// partyManager refuses all but a manager of a party: who is invited only reads, and answers.
func (a *Agreement) partyManager(m Meta) error {
	if err := m.manager(); err != nil {
		return err
	}
	if !a.Party(m.Actor.Partner) {
		return forbidden("not_a_party", "%s is invited to agreement %s and not yet a party of it.", m.Actor.Partner, a.ID)
	}
	return nil
}

// amendable refuses amendments of what is not signed, or has ended.
func (a *Agreement) amendable(m Meta) error {
	if !a.Active {
		return conflict("agreement_not_signed", "Agreement %s is a draft: edit it instead.", a.ID)
	}
	return a.open(m)
}

func (e AmendmentProposed) amendment() int { return e.Amendment }

func (e AmendmentProposed) apply(w *World, h Header) {
	x := h.editAmendment(w, e.Amendment)
	x.Key, x.Title, x.State, x.By, x.Changes, x.From, x.Asked = e.Key, e.Title, AmendmentOpen, e.By, e.Changes, e.From, e.Parties
	x.ProposedAt, x.DecidedAt, x.InvitedAt, x.Signatures = h.RecordedAt.UnixMicro(), 0, 0, nil
}

// editAmendment returns an amendment of the agreement that the fold may change, and counts the event.
func (h Header) editAmendment(w *World, number int) *Amendment {
	x := h.uncounted(w, number)
	x.Seen.Count(h.Audience, h.RecordedAt)
	return x
}

func (h Header) uncounted(w *World, number int) *Amendment {
	a := w.editAgreement(h.Stream.Agreement)
	fresh := Amendment{Number: number}
	list := slices.Clone(a.Amendments)
	if i := slices.IndexFunc(list, func(x *Amendment) bool { return x.Number == number }); i >= 0 {
		fresh = *list[i]
		list[i] = &fresh
	} else {
		list = append(list, &fresh)
	}
	a.Amendments = list
	return &fresh
}

// close ends an amendment without effect: who was invited sees nothing any more.
func (x *Amendment) close(w *World, h Header, state AmendmentState) {
	if x.State == AmendmentOpen && x.InvitedAt != 0 {
		a := w.editAgreement(h.Stream.Agreement)
		for _, p := range x.Joiners() {
			a.Seen.leave(p)
		}
	}
	x.State, x.DecidedAt = state, h.RecordedAt.UnixMicro()
}

// drawnUp is an amendment with its agreement, as one actor may see them.
type drawnUp struct {
	*Amendment
	agreement *Agreement
}

func findAmendment(s State, id AgreementID, number int, m Meta) (drawnUp, error) {
	a, err := readerOf(s, id, m)
	if err != nil {
		return drawnUp{}, err
	}
	x := a.Amendment(number)
	if x == nil || !a.Shows(x, m.Actor.Partner, m.At) {
		return drawnUp{}, ErrNotFound()
	}
	return drawnUp{x, a}, nil
}

func amendmentSeen(s State, id AgreementID, number int) *Seen {
	if a := s.Agreement(id); a != nil {
		if x := a.Amendment(number); x != nil {
			return &x.Seen
		}
	}
	return nil
}

func (x drawnUp) open() error {
	if x.State != AmendmentOpen {
		return conflict("amendment_closed", "Amendment %d is %s; nothing more happens to it.", x.Number, x.State.words())
	}
	return nil
}

func (s AmendmentState) words() string { return MilestoneState(s).words() }

// RejectAmendment is one no; it closes the amendment.
type RejectAmendment struct {
	ID     AgreementID `json:"id"`
	Number int         `json:"number"`
	Reason string      `json:"reason"`
}

// AmendmentRejected closes an amendment.
type AmendmentRejected struct {
	Amendment int       `json:"amendment"`
	Partner   PartnerID `json:"partner"`
	Reason    string    `json:"reason"`
}

// Stream implements Command.
func (c RejectAmendment) Stream() Stream { return Stream{Agreement: c.ID} }

func (c RejectAmendment) target(s State) *Seen { return amendmentSeen(s, c.ID, c.Number) }

func (c RejectAmendment) decide(s State, m Meta) ([]Event, error) {
	x, err := findAmendment(s, c.ID, c.Number, m)
	if err != nil {
		return nil, err
	}
	var f faults
	f.text("reason", c.Reason, 2000, true)
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	if err := x.open(); err != nil {
		return nil, err
	}
	return shared("", AmendmentRejected{c.Number, m.Actor.Partner, c.Reason}), nil
}

func (e AmendmentRejected) amendment() int { return e.Amendment }

func (e AmendmentRejected) apply(w *World, h Header) {
	x := h.editAmendment(w, e.Amendment)
	x.RejectedBy, x.Why = e.Partner, e.Reason
	x.close(w, h, AmendmentRefused)
}

// WithdrawAmendment takes an amendment back; the proposer alone does.
type WithdrawAmendment struct {
	ID     AgreementID `json:"id"`
	Number int         `json:"number"`
}

// AmendmentWithdrawn closes an amendment.
type AmendmentWithdrawn struct {
	Amendment int `json:"amendment"`
}

// Stream implements Command.
func (c WithdrawAmendment) Stream() Stream { return Stream{Agreement: c.ID} }

func (c WithdrawAmendment) target(s State) *Seen { return amendmentSeen(s, c.ID, c.Number) }

func (c WithdrawAmendment) decide(s State, m Meta) ([]Event, error) {
	x, err := findAmendment(s, c.ID, c.Number, m)
	if err != nil {
		return nil, err
	}
	if err := m.manager(); err != nil {
		return nil, err
	}
	if x.By != m.Actor.Partner {
		return nil, forbidden("not_proposer", "Only %s, who proposed amendment %d, withdraws it.", x.By, c.Number)
	}
	if err := x.open(); err != nil {
		return nil, err
	}
	return shared("", AmendmentWithdrawn{c.Number}), nil
}

func (e AmendmentWithdrawn) amendment() int { return e.Amendment }

func (e AmendmentWithdrawn) apply(w *World, h Header) {
	h.editAmendment(w, e.Amendment).close(w, h, AmendmentTakenBack)
}

// AmendmentVoided closes an amendment whose ground changed.
type AmendmentVoided struct {
	Amendment int             `json:"amendment"`
	Ground    AmendmentGround `json:"ground"`
}

func (e AmendmentVoided) amendment() int { return e.Amendment }

func (e AmendmentVoided) apply(w *World, h Header) {
	x := h.editAmendment(w, e.Amendment)
	x.Broken = e.Ground
	x.close(w, h, AmendmentVoid)
}
