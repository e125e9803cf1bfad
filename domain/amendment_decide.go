package domain

import "slices"

// ProposeAmendment opens an amendment with the agreement's next number. Key is optional and lets the proposer
// find it. The caller of Decide has checked that joining partners exist and that the actor may know them.
type ProposeAmendment struct {
	AgreementID `json:"id"`
	Key         string           `json:"key,omitempty"`
	Title       string           `json:"title"`
	Changes     AmendmentChanges `json:"changes"`
}

// AmendmentProposed is the first event of an amendment. Parties are the required signers before an invitation.
type AmendmentProposed struct {
	Amendment int              `json:"amendment"`
	Key       string           `json:"key,omitempty"`
	By        PartnerID        `json:"by"`
	Title     string           `json:"title"`
	Changes   AmendmentChanges `json:"changes"`
	From      TermsChange      `json:"from,omitzero"`
	Parties   []PartnerID      `json:"parties"`
}

func (c ProposeAmendment) target(State) *Versions { return nil }

func (c ProposeAmendment) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.AgreementID, dc)
	if err != nil {
		return nil, err
	}
	event := AmendmentProposed{len(agreement.Amendments) + 1, c.Key, dc.Actor.Partner, c.Title, c.Changes, TermsChange{}, agreement.present(agreement.Terms.Parties, dc.At)}
	event.From, event.Changes.Terms = diffTerms(agreement.Terms, c.Changes.Terms.applyTo(agreement.Terms))
	event.Changes.EndInstruments = agreement.instrumentEnds(c.Changes.EndInstruments)
	if err := c.validate(agreement, event.Changes, dc).err(); err != nil {
		return nil, err
	}
	event.Changes.AddInstruments = slices.Clone(event.Changes.AddInstruments)
	for n := range event.Changes.AddInstruments {
		event.Changes.AddInstruments[n].Term = event.Changes.AddInstruments[n].Term.toStore()
	}
	if err := agreement.requirePartyManager(dc); err != nil {
		return nil, err
	}
	if err := agreement.requireAmendable(dc); err != nil {
		return nil, err
	}
	for _, instrument := range event.Changes.AddInstruments { // one that the actor may not see
		if agreement.Instrument(instrument.ID) != nil {
			return nil, errInstrumentExists(agreement, instrument.ID)
		}
	}
	return sharedEvents("", event), nil
}

// instrumentEnds completes the ends of a command with the present terms, kinds and titles.
func (a *Agreement) instrumentEnds(ends []InstrumentEnd) []InstrumentEnd {
	ends = slices.Clone(ends)
	for n, end := range ends {
		if instrument := a.Instrument(end.ID); instrument != nil {
			ends[n].From, ends[n].FromTerm, ends[n].Kind, ends[n].Title = instrument.ExpiresOn, instrument.Term, instrument.Kind, instrument.Title
		}
		if end.ExpiresOn != 0 && end.Term == TermFixed {
			ends[n].Term = ""
		}
	}
	return ends
}

func (c ProposeAmendment) validate(agreement *Agreement, differing AmendmentChanges, dc DecisionContext) (check validation) {
	check.line("title", c.Title, 200, true)
	within := c.Changes.Terms.validateEnd()
	to := differing.Terms.applyTo(agreement.Terms)
	within.joiners(agreement, c.Changes.Join)
	within.documents(slices.Concat(agreement.Terms.Documents, c.Changes.Documents))
	for _, joiner := range c.Changes.Join {
		to.Parties = with(to.Parties, joiner.Partner)
	}
	within.notPast("expires_on", differing.Terms.ExpiresOn, dc)
	within = append(within, differing.validateTerms(to)...)
	within.instrumentChanges(agreement, to, differing, dc)
	within.instrumentsWithin(agreement, dc.Actor.Partner, to, differing.EndInstruments)
	if differing.isEmpty() && len(within) == 0 {
		check.add("changes", "no change; name at least one")
	}
	for _, fieldError := range within {
		check.add("changes", "%s", fieldError)
	}
	return check
}

// isEmpty reports whether the amendment proposes no change.
func (c AmendmentChanges) isEmpty() bool {
	return c.Terms == TermsChange{} && len(c.AddInstruments) == 0 && len(c.EndInstruments) == 0 && len(c.Join) == 0 && len(c.Documents) == 0
}

// validateTerms leaves out the parties, which joiners checks.
func (c AmendmentChanges) validateTerms(to Terms) validation {
	return slices.DeleteFunc(to.validate(), func(fieldError FieldError) bool { return fieldError.Field == "parties" })
}

// notPast refuses a last day in the past.
func (v *validation) notPast(field string, date Date, dc DecisionContext) {
	if date != 0 && date < DateOf(dc.At.UTC()) {
		v.add(field, "is in the past; use today or a later date")
	}
}

func (v *validation) joiners(agreement *Agreement, list []Joining) {
	var named []PartnerID
	for _, joiner := range list {
		v.slug("join", string(joiner.Partner))
		switch {
		case agreement.Party(joiner.Partner):
			v.add("join", "%s is already a party", joiner.Partner)
		case slices.Contains(named, joiner.Partner):
			v.add("join", "%s is named twice; name it once", joiner.Partner)
		}
		named = append(named, joiner.Partner)
	}
	if len(list) > 20 {
		v.add("join", "has %d partners; at most 20 can join at once", len(list))
	}
}

// instrumentChanges validates added instruments against the terms and parties after the amendment.
func (v *validation) instrumentChanges(agreement *Agreement, to Terms, changes AmendmentChanges, dc DecisionContext) {
	if len(changes.AddInstruments) > 50 || len(changes.EndInstruments) > 50 {
		v.add("instruments", "too many changes; at most 50 can be added or ended at once")
		return
	}
	if len(agreement.Instruments)+len(changes.AddInstruments) > maxInstruments {
		v.add("add_instruments", "the agreement would have more than %d instruments", maxInstruments)
		return
	}
	v.addedInstruments(agreement, to, changes.AddInstruments, dc)
	var named []InstrumentID
	for _, instrument := range changes.AddInstruments {
		named = append(named, instrument.ID)
	}
	for _, end := range changes.EndInstruments {
		v.endedInstrument(agreement, to, end, dc)
		if slices.Contains(named, end.ID) {
			v.add("end_instruments", "%s is named twice; name it once", end.ID)
		}
		named = append(named, end.ID)
	}
}

func (v *validation) addedInstruments(agreement *Agreement, to Terms, added []Instrument, dc DecisionContext) {
	var named []InstrumentID
	for _, instrument := range added {
		for _, fieldError := range instrument.validate(&Agreement{Terms: to}) {
			v.add("add_instruments", "%s: %s", instrument.ID, fieldError)
		}
		present := agreement.Instrument(instrument.ID)
		if slices.Contains(named, instrument.ID) || (present != nil && agreement.DetailFor(present, dc.Actor.Partner) != DetailKind) {
			v.add("add_instruments", "instrument %s already exists", instrument.ID)
		}
		named = append(named, instrument.ID)
	}
}

func (v *validation) endedInstrument(agreement *Agreement, to Terms, end InstrumentEnd, dc DecisionContext) {
	instrument, detail := agreement.Instrument(end.ID), DetailKind
	if instrument != nil {
		detail = agreement.DetailFor(instrument, dc.Actor.Partner)
	}
	switch detail {
	case DetailKind:
		v.add("end_instruments", "instrument %q does not exist", end.ID)
	case DetailSummary:
		v.add("end_instruments", "%s has no role in instrument %s; one of its parties can propose the end", dc.Actor.Partner, end.ID)
	default:
		v.instrumentTerm(instrument, to, end)
	}
	v.notPast("end_instruments", end.ExpiresOn, dc)
}

// instrumentTerm validates the new term of an instrument that the actor sees in full.
func (v *validation) instrumentTerm(instrument *Instrument, to Terms, end InstrumentEnd) {
	var term validation
	term.term("term", end.Term, end.ExpiresOn)
	switch last := end.ExpiresOn; {
	case len(term) > 0:
		v.add("end_instruments", "%s: %s", end.ID, term[0])
	case last == 0 && end.Term == "":
		v.add("end_instruments", "%s: expires_on: required", end.ID)
	case last == 0 && TermOf(end.Term, 0) == instrument.TermKind():
		v.add("end_instruments", "the term of %s is already %s", end.ID, Term(end.Term))
	case last == 0:
	case last < instrument.EffectiveOn:
		v.add("end_instruments", "%s: expires_on: must not be before effective_on", end.ID)
	case last == instrument.ExpiresOn:
		v.add("end_instruments", "%s already ends on %s", end.ID, last)
	case to.ExpiresOn != 0 && last > to.ExpiresOn:
		v.add("end_instruments", "%s: expires_on: must not be after the agreement's last day, %s", end.ID, to.ExpiresOn)
	}
}

// requirePartyManager refuses all actors but a manager of a party. An invited partner can only read, sign or
// reject.
func (a *Agreement) requirePartyManager(dc DecisionContext) error {
	if err := dc.requireManager(); err != nil {
		return err
	}
	if !a.Party(dc.Actor.Partner) {
		return forbidden("not_a_party", "%s is invited to agreement %s but not a party yet; only parties can do this.", dc.Actor.Partner, a.ID)
	}
	return nil
}

// requireAmendable refuses amendments of a draft, and of an agreement that has ended.
func (a *Agreement) requireAmendable(dc DecisionContext) error {
	if a.AwaitsSignatures() {
		return conflict("agreement_not_signed", "Agreement %s is a draft; edit it instead.", a.ID)
	}
	return a.requireChangeable(dc)
}

func (e AmendmentProposed) amendmentNumber() int { return e.Amendment }

func (e AmendmentProposed) apply(world *World, header Header) {
	amendment := header.editAmendment(world, e.Amendment)
	amendment.Key, amendment.Title, amendment.State, amendment.ProposedBy, amendment.Changes, amendment.From, amendment.ProposedTo = e.Key, e.Title, AmendmentStateOpen, e.By, e.Changes, e.From, e.Parties
	amendment.ProposedAt, amendment.DecidedAt, amendment.InvitedAt, amendment.Signatures = header.RecordedAt.UnixMicro(), 0, 0, nil
}

// editAmendment returns the amendment for modification by the fold, and counts the event.
func (h Header) editAmendment(world *World, number int) *Amendment {
	amendment := h.editAmendmentUncounted(world, number)
	amendment.Versions.count(h)
	return amendment
}

func (h Header) editAmendmentUncounted(world *World, number int) *Amendment {
	agreement := world.editAgreement(h.Stream.Agreement)
	fresh := Amendment{Number: number}
	list := slices.Clone(agreement.Amendments)
	if i := slices.IndexFunc(list, func(amendment *Amendment) bool { return amendment.Number == number }); i >= 0 {
		fresh = *list[i]
		list[i] = &fresh
	} else {
		list = append(list, &fresh)
	}
	agreement.Amendments = list
	return &fresh
}

// close ends an amendment without effect. Invited partners lose access.
func (a *Amendment) close(world *World, header Header, state AmendmentState) {
	if a.State == AmendmentStateOpen && a.InvitedAt != 0 {
		agreement := world.editAgreement(header.Stream.Agreement)
		for _, partner := range a.joiners() {
			agreement.Versions.leave(partner)
		}
	}
	a.State, a.DecidedAt = state, header.RecordedAt.UnixMicro()
}

// amendmentContext is an amendment with its agreement, as one actor may see them.
type amendmentContext struct {
	*Amendment
	agreement *Agreement
}

func findAmendment(state State, id AgreementID, number int, dc DecisionContext) (amendmentContext, error) {
	agreement, err := findAgreement(state, id, dc)
	if err != nil {
		return amendmentContext{}, err
	}
	amendment := agreement.Amendment(number)
	if amendment == nil || !agreement.AmendmentVisibleTo(amendment, dc.Actor.Partner, dc.At) {
		return amendmentContext{}, ErrNotFound()
	}
	return amendmentContext{amendment, agreement}, nil
}

func (a *Amendment) versions() *Versions {
	if a == nil {
		return nil
	}
	return &a.Versions
}

func (a amendmentContext) requireOpen() error {
	if a.State != AmendmentStateOpen {
		return conflict("amendment_closed", "Amendment %d is %s and can no longer change.", a.Number, Term(a.State))
	}
	return nil
}

// RejectAmendment closes the amendment on behalf of one required signer.
type RejectAmendment struct {
	AmendmentRef
	Reason string `json:"reason"`
}

// AmendmentRejected closes an amendment.
type AmendmentRejected struct {
	Amendment int       `json:"amendment"`
	Partner   PartnerID `json:"partner"`
	Reason    string    `json:"reason"`
}

func (c RejectAmendment) decide(state State, dc DecisionContext) ([]Event, error) {
	amendment, err := findAmendment(state, c.Agreement, c.Number, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.text("reason", c.Reason, 2000, true)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if err := amendment.requireOpen(); err != nil {
		return nil, err
	}
	return sharedEvents("", AmendmentRejected{c.Number, dc.Actor.Partner, c.Reason}), nil
}

func (e AmendmentRejected) amendmentNumber() int { return e.Amendment }

func (e AmendmentRejected) apply(world *World, header Header) {
	amendment := header.editAmendment(world, e.Amendment)
	amendment.RejectedBy, amendment.RejectionReason = e.Partner, e.Reason
	amendment.close(world, header, AmendmentStateRejected)
}

// WithdrawAmendment closes the amendment on behalf of its proposer.
type WithdrawAmendment struct {
	AmendmentRef
	Reason string `json:"reason,omitempty"`
}

// AmendmentWithdrawn closes an amendment.
type AmendmentWithdrawn struct {
	Amendment int    `json:"amendment"`
	Reason    string `json:"reason,omitempty"`
}

func (c WithdrawAmendment) decide(state State, dc DecisionContext) ([]Event, error) {
	amendment, err := findAmendment(state, c.Agreement, c.Number, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.text("reason", c.Reason, 2000, false)
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if amendment.ProposedBy != dc.Actor.Partner {
		return nil, forbidden("not_proposer", "Only %s, who proposed amendment %d, can withdraw it.", amendment.ProposedBy, c.Number)
	}
	if err := amendment.requireOpen(); err != nil {
		return nil, err
	}
	return sharedEvents("", AmendmentWithdrawn{c.Number, c.Reason}), nil
}

func (e AmendmentWithdrawn) amendmentNumber() int { return e.Amendment }

func (e AmendmentWithdrawn) apply(world *World, header Header) {
	amendment := header.editAmendment(world, e.Amendment)
	amendment.WithdrawalReason = e.Reason
	amendment.close(world, header, AmendmentStateWithdrawn)
}

// AmendmentVoided closes an amendment whose ground has changed.
type AmendmentVoided struct {
	Amendment int             `json:"amendment"`
	Ground    AmendmentGround `json:"ground"`
}

func (e AmendmentVoided) amendmentNumber() int { return e.Amendment }

func (e AmendmentVoided) apply(world *World, header Header) {
	amendment := header.editAmendment(world, e.Amendment)
	amendment.VoidGround = e.Ground
	amendment.close(world, header, AmendmentStateVoid)
}
