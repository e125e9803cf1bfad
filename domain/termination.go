package domain

import (
	"slices"
	"time"
)

// The end of an agreement before its last day:
//
// R3: mutual termination takes every party: it is set when all have called the same last day. Who calls
// another day replaces its own call. A notice needs a reason and a last day that has not passed; it cannot be
// taken back. The agreement ends when notices leave fewer than two parties, so with two of them by the
// first. With three or more parties a notice withdraws only its giver.
//
// R4: for a party that has withdrawn it is as after the end: it plans and starts nothing new, and nothing
// new is planned with it. What was started is still delivered, decided, waived or cancelled, and change requests
// about what it owns or accepts still take its word. It keeps the projects it takes part in, and of the
// agreement it goes on to see what was so when it left: the amendments that were decided, the terms and
// instruments as they were; of what the others agree later it is not told.

// TerminationMode says how an agreement is ended.
type TerminationMode string

// The modes.
const (
	Mutual   TerminationMode = "mutual"
	ByNotice TerminationMode = "notice"
)

// Termination is how an agreement ends early.
type Termination struct {
	Mode     TerminationMode
	On       Date // its last day
	Reason   string
	CalledBy []PartnerID // of a mutual one
}

// EndCall is one party's wish to end the agreement.
type EndCall struct {
	Partner PartnerID
	On      Date
	Reason  string
	At      int64 // microseconds since 1970 UTC
}

// Notice is one party's word that it leaves.
type Notice struct {
	Partner PartnerID
	On      Date // the last day on which it is a party
	Reason  string
	At      int64 // microseconds since 1970 UTC
	Kept    *Kept // how it left the agreement, once that has changed
}

func (n Notice) key() string { return string(n.Partner) }

// Kept is what was so on a day.
type Kept struct {
	Terms       Terms
	Signatures  []Signature
	Instruments []Instrument
	Moved       []MovedItem
}

// Notice returns p's notice, nil if it has given none.
func (a *Agreement) Notice(p PartnerID) *Notice {
	for i := range a.Notices {
		if a.Notices[i].Partner == p {
			return &a.Notices[i]
		}
	}
	return nil
}

// Left reports whether p has withdrawn.
func (a *Agreement) Left(p PartnerID, at time.Time) bool {
	n := a.Notice(p)
	return n != nil && DateOf(at.UTC()) > n.On
}

// present returns those of the parties that have not withdrawn.
func (a *Agreement) present(parties []PartnerID, at time.Time) []PartnerID {
	if len(a.Notices) == 0 {
		return parties
	}
	return slices.DeleteFunc(slices.Clone(parties), func(p PartnerID) bool { return a.Left(p, at) })
}

// As returns the agreement as p may see it at a time: who has withdrawn sees what was so then.
func (a *Agreement) As(p PartnerID, at time.Time) *Agreement {
	if !a.Left(p, at) {
		return a
	}
	n, then := a.Notice(p), *a
	if k := n.Kept; k != nil {
		then.Terms, then.Signatures, then.Instruments, then.Moved = k.Terms, k.Signatures, k.Instruments, k.Moved
	}
	then.Notices, then.EndCalls = []Notice{*n}, nil
	then.Ending = Termination{Mode: ByNotice, On: n.On, Reason: n.Reason}
	return &then
}

// keep notes, before an event changes the agreement, how those left it who have withdrawn.
func (a *Agreement) keep(h Header) {
	for i, n := range a.Notices {
		if n.Kept != nil || !a.Left(n.Partner, h.RecordedAt) {
			continue
		}
		a.Notices = slices.Clone(a.Notices)
		a.Notices[i].Kept = &Kept{a.Terms, a.Signatures, a.Instruments, a.Moved}
		a.Seen.leave(n.Partner)
	}
}

// last returns the agreement's last day; zero: none.
func (a *Agreement) last() Date {
	if a.Ending.On != 0 && (a.Terms.ExpiresOn == 0 || a.Ending.On <= a.Terms.ExpiresOn) {
		return a.Ending.On
	}
	return a.Terms.ExpiresOn
}

// TerminateAgreement calls for the agreement's end, or gives notice.
type TerminateAgreement struct {
	ID          AgreementID     `json:"id"`
	Mode        TerminationMode `json:"mode"`
	Reason      string          `json:"reason,omitempty"`
	EffectiveOn Date            `json:"effective_on"`
}

// TerminationCalled is one party's call. Remaining are those who have not called the same day.
type TerminationCalled struct {
	Partner     PartnerID   `json:"partner"`
	EffectiveOn Date        `json:"effective_on"`
	Reason      string      `json:"reason,omitempty"`
	Remaining   []PartnerID `json:"remaining,omitempty"`
}

// NoticeGiven is one party's notice. Leaves says that the others go on without it.
type NoticeGiven struct {
	Partner     PartnerID `json:"partner"`
	EffectiveOn Date      `json:"effective_on"`
	Reason      string    `json:"reason"`
	Leaves      bool      `json:"leaves,omitempty"`
}

// AgreementTerminated sets the agreement's last day.
type AgreementTerminated struct {
	Mode        TerminationMode `json:"mode"`
	EffectiveOn Date            `json:"effective_on"`
	Reason      string          `json:"reason,omitempty"`
	CalledBy    []PartnerID     `json:"called_by,omitempty"`
}

// Stream implements Command.
func (c TerminateAgreement) Stream() Stream { return Stream{Agreement: c.ID} }

func (c TerminateAgreement) target(s State) *Seen { return seenOf(s.Agreement(c.ID)) }

func (c TerminateAgreement) decide(s State, m Meta) ([]Event, error) {
	a, err := readerOf(s, c.ID, m)
	if err != nil {
		return nil, err
	}
	if err := c.faults(m).err(); err != nil {
		return nil, err
	}
	if err := a.partyManager(m); err != nil {
		return nil, err
	}
	if !a.Active {
		return nil, conflict("agreement_not_signed", "Agreement %s is a draft: there is nothing to end.", a.ID)
	}
	if err := a.open(m); err != nil {
		return nil, err
	}
	if last := a.last(); last != 0 && c.EffectiveOn >= last {
		return nil, conflict("ends_before", "Agreement %s ends on %s anyway.", a.ID, last)
	}
	if c.Mode == Mutual {
		return c.call(a, m)
	}
	return c.notice(a, m)
}

func (c TerminateAgreement) faults(m Meta) (f faults) {
	if c.Mode != Mutual && c.Mode != ByNotice {
		f.add("mode", "%q is neither mutual nor notice", c.Mode)
	}
	f.text("reason", c.Reason, 2000, c.Mode == ByNotice)
	f.date("effective_on", c.EffectiveOn)
	f.future("effective_on", c.EffectiveOn, m)
	return f
}

func (c TerminateAgreement) call(a *Agreement, m Meta) ([]Event, error) {
	p := m.Actor.Partner
	parties := a.present(a.Terms.Parties, m.At)
	called := func(x PartnerID) bool {
		return slices.ContainsFunc(a.EndCalls, func(e EndCall) bool { return e.Partner == x && e.On == c.EffectiveOn })
	}
	e := TerminationCalled{Partner: p, EffectiveOn: c.EffectiveOn, Reason: c.Reason}
	for _, x := range parties {
		if x != p && !called(x) {
			e.Remaining = append(e.Remaining, x)
		}
	}
	if called(p) && len(e.Remaining) > 0 {
		return nil, conflict("already_called", "%s has called this already; the others have not.", p)
	}
	events := shared("", e)
	if len(e.Remaining) > 0 {
		return events, nil
	}
	end := AgreementTerminated{Mutual, c.EffectiveOn, c.Reason, parties}
	for _, x := range a.EndCalls {
		if end.Reason == "" && x.On == c.EffectiveOn {
			end.Reason = x.Reason
		}
	}
	return append(events, shared("", end)...), nil
}

func (c TerminateAgreement) notice(a *Agreement, m Meta) ([]Event, error) {
	p := m.Actor.Partner
	if n := a.Notice(p); n != nil {
		return nil, conflict("notice_given", "%s has given notice for %s; a notice is not taken back.", p, n.On)
	}
	days := []Date{c.EffectiveOn}
	for _, n := range a.Notices {
		days = append(days, n.On)
	}
	slices.Sort(days)
	stay := len(a.Terms.Parties) - len(days)
	events := shared("", NoticeGiven{p, c.EffectiveOn, c.Reason, stay >= 2})
	if stay >= 2 {
		return events, nil
	}
	on := days[len(a.Terms.Parties)-2] // when the last but one has left
	if last := a.last(); last != 0 && on >= last {
		return events, nil
	}
	return append(events, shared("", AgreementTerminated{Mode: ByNotice, EffectiveOn: on, Reason: c.Reason})...), nil
}

func (e TerminationCalled) apply(w *World, h Header) {
	a := w.editAgreement(h.Stream.Agreement)
	a.keep(h)
	calls := slices.DeleteFunc(slices.Clone(a.EndCalls), func(c EndCall) bool { return c.Partner == e.Partner })
	a.EndCalls = append(calls, EndCall{e.Partner, e.EffectiveOn, e.Reason, h.RecordedAt.UnixMicro()})
	a.Seen.Count(h.Audience, h.RecordedAt)
}

func (e NoticeGiven) apply(w *World, h Header) {
	a := w.editAgreement(h.Stream.Agreement)
	a.keep(h)
	a.Notices = put(a.Notices, Notice{e.Partner, e.EffectiveOn, e.Reason, h.RecordedAt.UnixMicro(), nil}, Notice.key)
	a.Seen.Count(h.Audience, h.RecordedAt)
}

func (e AgreementTerminated) apply(w *World, h Header) {
	a := w.editAgreement(h.Stream.Agreement)
	a.keep(h)
	a.Ending, a.EndCalls = Termination{e.Mode, e.EffectiveOn, e.Reason, e.CalledBy}, nil
	a.Seen.Count(h.Audience, h.RecordedAt)
}

// left refuses that a plan newly names who has withdrawn.
func (f *faults) left(a *Agreement, at time.Time, to, from Plan) {
	if to.Owner != from.Owner && a.Left(to.Owner, at) {
		f.add("owner", "%s left the agreement", to.Owner)
	}
	for _, x := range to.Acceptors {
		if !slices.Contains(from.Acceptors, x) && a.Left(x, at) {
			f.add("acceptors", "%s left the agreement", x)
		}
	}
}
