package domain

import (
	"cmp"
	"slices"
)

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
	f.text("title", c.Title, 200, true)
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

// SignAmendment signs for the acting partner. With the last signature the amendment is in force.
type SignAmendment struct {
	ID        AgreementID `json:"id"`
	Number    int         `json:"number"`
	Signatory string      `json:"signatory,omitempty"`
	SignedOn  Date        `json:"signed_on,omitzero"` // zero: today
}

// AmendmentSigned is one signature. Remaining are those whose signature is missing.
type AmendmentSigned struct {
	Amendment int         `json:"amendment"`
	Signature Signature   `json:"signature"`
	Remaining []PartnerID `json:"remaining,omitempty"`
}

// PartyInvited follows the last signature of the present parties: from now on the partners see what it
// carries, which is all there is for them.
type PartyInvited struct {
	Amendment   int              `json:"amendment"`
	Title       string           `json:"title"`
	By          PartnerID        `json:"by"`
	Partners    []PartnerID      `json:"partners"`
	Changes     AmendmentChanges `json:"changes"`
	Signatures  []Signature      `json:"signatures"`
	Terms       Terms            `json:"terms"`
	Instruments []Instrument     `json:"instruments,omitempty"`
}

// AgreementAmended is what an amendment does once all have signed it. Joined are the signatures of the
// parties that are new.
type AgreementAmended struct {
	Amendment int             `json:"amendment"`
	To        Terms           `json:"to"`
	From      Terms           `json:"from"`
	Added     []Instrument    `json:"added,omitempty"`
	Ended     []InstrumentEnd `json:"ended,omitempty"`
	Joined    []Signature     `json:"joined,omitempty"`
}

// Stream implements Command.
func (c SignAmendment) Stream() Stream { return Stream{Agreement: c.ID} }

func (c SignAmendment) target(s State) *Seen { return amendmentSeen(s, c.ID, c.Number) }

func (c SignAmendment) decide(s State, m Meta) ([]Event, error) {
	x, err := findAmendment(s, c.ID, c.Number, m)
	if err != nil {
		return nil, err
	}
	mine := Signature{m.Actor.Partner, c.Signatory, cmp.Or(c.SignedOn, m.Today)}
	var f faults
	f.text("signatory", c.Signatory, 200, false)
	if mine.SignedOn > m.Today {
		f.add("signed_on", "is in the future")
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := x.signable(m); err != nil {
		return nil, err
	}
	signed := *x.Amendment
	signed.Signatures = put(x.Signatures, mine, Signature.key)
	remaining := signed.missing()
	events := shared("", AmendmentSigned{c.Number, mine, remaining})
	switch {
	case len(remaining) == 0:
		return append(events, shared("", signed.effect(x.agreement))...), nil
	case x.InvitedAt == 0 && len(remaining) == len(x.Changes.Join):
		return append(events, shared("", PartyInvited{
			x.Number, x.Title, x.By, x.Joiners(), x.Changes, signed.Signatures, x.agreement.Terms, x.agreement.Instruments,
		})...), nil
	}
	return events, nil
}

func (s Signature) key() string { return string(s.Partner) }

func (x drawnUp) signable(m Meta) error {
	if err := m.manager(); err != nil {
		return err
	}
	if err := x.open(); err != nil {
		return err
	}
	if err := x.agreement.open(m); err != nil {
		return err
	}
	if x.Signed(m.Actor.Partner) {
		return conflict("already_signed", "%s has signed amendment %d already.", m.Actor.Partner, x.Number)
	}
	if other := x.agreement.invitation(); other != nil && other.Number != x.Number {
		return conflict("invitation_open", "Amendment %d waits for partners that join on the terms as they are: sign or reject it first.", other.Number)
	}
	if !slices.Equal(x.Asked, x.agreement.present(x.agreement.Terms.Parties, m.At)) {
		return conflict("amendment_does_not_fit", "Not all who were asked to sign amendment %d are parties still: propose it anew.", x.Number)
	}
	var f faults
	f.future("expires_on", x.Changes.Terms.ExpiresOn, m)
	for _, e := range x.Changes.EndInstruments {
		f.future("end_instruments", e.ExpiresOn, m)
	}
	f = append(f, x.Changes.termsFaults(x.Changes.Terms.over(x.agreement.Terms))...)
	if len(f) > 0 {
		return conflict("amendment_does_not_fit", "Time has passed over amendment %d: %s %s.", x.Number, f[0].Field, f[0].Message)
	}
	return nil
}

// effect returns what the amendment does.
func (x *Amendment) effect(a *Agreement) AgreementAmended {
	e := AgreementAmended{
		Amendment: x.Number, To: x.Changes.Terms.over(a.Terms), From: a.Terms,
		Added: x.Changes.AddInstruments, Ended: x.Changes.EndInstruments,
	}
	e.To.Parties = slices.Concat(a.Terms.Parties, x.Joiners())
	for _, s := range x.Signatures {
		if !a.Party(s.Partner) {
			e.Joined = append(e.Joined, s)
		}
	}
	return e
}

func (e AmendmentSigned) amendment() int { return e.Amendment }

func (e AmendmentSigned) apply(w *World, h Header) {
	x := h.editAmendment(w, e.Amendment)
	x.Signatures = put(x.Signatures, e.Signature, Signature.key)
	if len(e.Remaining) == 0 {
		x.State, x.DecidedAt = AmendmentInForce, h.RecordedAt.UnixMicro()
	}
}

func (e PartyInvited) apply(w *World, h Header) {
	x, a := h.uncounted(w, e.Amendment), w.editAgreement(h.Stream.Agreement)
	a.keep(h)
	x.InvitedAt = h.RecordedAt.UnixMicro()
	for _, p := range e.Partners {
		a.Seen.join(p, h.RecordedAt)
		x.Seen.join(p, h.RecordedAt)
	}
	a.Seen.Count(h.Audience, h.RecordedAt)
	x.Seen.Count(h.Audience, h.RecordedAt)
}

func (e AgreementAmended) apply(w *World, h Header) {
	a := w.editAgreement(h.Stream.Agreement)
	a.keep(h)
	a.Terms = e.To
	a.Instruments = slices.Concat(a.Instruments, e.Added)
	for _, end := range e.Ended {
		for i := range a.Instruments {
			if a.Instruments[i].ID == end.ID {
				a.Instruments[i].ExpiresOn = end.ExpiresOn
			}
		}
	}
	for _, s := range e.Joined {
		a.Signatures = put(a.Signatures, s, Signature.key)
	}
	a.Seen.Count(h.Audience, h.RecordedAt)
}

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
