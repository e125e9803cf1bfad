package domain

import (
	"slices"
	"time"
)

// Rules for ending an agreement before its last day:
//
// R3: a mutual termination is set when all parties have called the same last day. A party that calls another day
// replaces its own call. A termination notice needs a reason and a last day after the agreed notice period, and
// cannot be withdrawn. The agreement ends when notices leave fewer than two parties. With three or more parties a notice
// withdraws only the party that gave it.
//
// R4: a party that has left is treated as after the agreement's end: it cannot plan or start work, and new plans
// cannot name it. Started work is still delivered, decided, waived or cancelled, and change requests about
// milestones that it owns or accepts still need its approval. It keeps access to the projects in which it takes
// part. It sees the agreement as of its last day: the terms, the instruments and the amendments decided by then,
// and no later agreement of the other parties.

// TerminationMode says how an agreement is ended.
type TerminationMode string

// The modes.
const (
	Mutual   TerminationMode = "mutual"
	ByNotice TerminationMode = "notice"
)

// Termination is an early end of an agreement.
type Termination struct {
	Mode     TerminationMode
	On       Date // last day
	Reason   string
	CalledBy []PartnerID // for Mutual: the parties that called
}

// TerminationCall is a party's call to end the agreement on a given last day.
type TerminationCall struct {
	Partner PartnerID
	On      Date
	Reason  string
	Member  MemberID // who made the call
	At      int64    // microseconds since 1970 UTC
}

// TerminationNotice announces that a party leaves the agreement.
type TerminationNotice struct {
	Partner PartnerID
	On      Date // last day on which it is a party
	Reason  string
	At      int64            // microseconds since 1970 UTC
	Frozen  *FrozenAgreement // the agreement on that day; nil until it changes afterwards
}

func (n TerminationNotice) key() string { return string(n.Partner) }

// FrozenAgreement holds the parts of an agreement as they were on the last day of a party that left.
type FrozenAgreement struct {
	Terms       Terms
	Signatures  []Signature
	Instruments []Instrument
	MovedItems  []ItemProgress
	FormerTerms []FormerTerms
}

// terminationNotice returns the partner's notice, or nil.
func (a *Agreement) terminationNotice(partner PartnerID) *TerminationNotice {
	for i := range a.TerminationNotices {
		if a.TerminationNotices[i].Partner == partner {
			return &a.TerminationNotices[i]
		}
	}
	return nil
}

// HasLeft reports whether the partner has left the agreement.
func (a *Agreement) HasLeft(partner PartnerID, at time.Time) bool {
	notice := a.terminationNotice(partner)
	return notice != nil && DateOf(at.UTC()) > notice.On
}

// present returns the parties that have not left.
func (a *Agreement) present(parties []PartnerID, at time.Time) []PartnerID {
	if len(a.TerminationNotices) == 0 {
		return parties
	}
	return slices.DeleteFunc(slices.Clone(parties), func(partner PartnerID) bool { return a.HasLeft(partner, at) })
}

// ViewFor returns the agreement as the partner may see it at the given time. A party that has left sees the
// agreement of its last day.
func (a *Agreement) ViewFor(partner PartnerID, at time.Time) *Agreement {
	if !a.HasLeft(partner, at) {
		return a
	}
	notice, then := a.terminationNotice(partner), *a
	if frozen := notice.Frozen; frozen != nil {
		then.Terms, then.Signatures, then.Instruments, then.MovedItems = frozen.Terms, frozen.Signatures, frozen.Instruments, frozen.MovedItems
		then.FormerTerms = frozen.FormerTerms
	}
	then.ContactPersons = nil // those of the others are no longer its concern
	if members := a.ContactPersonsOf(partner); len(members) > 0 {
		then.ContactPersons = []PartnerMembers{{partner, members}}
	}
	then.TerminationNotices, then.TerminationCalls = []TerminationNotice{*notice}, nil
	then.Termination = Termination{Mode: ByNotice, On: notice.On, Reason: notice.Reason}
	return &then
}

// freezeForLeavers keeps the present agreement for the parties that have left, before an event changes it.
func (a *Agreement) freezeForLeavers(header Header) {
	for i, notice := range a.TerminationNotices {
		if notice.Frozen != nil || !a.HasLeft(notice.Partner, header.RecordedAt) {
			continue
		}
		a.TerminationNotices = slices.Clone(a.TerminationNotices)
		a.TerminationNotices[i].Frozen = &FrozenAgreement{a.Terms, a.Signatures, a.Instruments, a.MovedItems, a.FormerTerms}
		a.Versions.leave(notice.Partner)
	}
}

// lastDay returns the agreement's last day; zero: none.
func (a *Agreement) lastDay() Date {
	if a.Termination.On != 0 && (a.Terms.ExpiresOn == 0 || a.Termination.On <= a.Terms.ExpiresOn) {
		return a.Termination.On
	}
	return a.Terms.ExpiresOn
}

// TerminateAgreement calls for a mutual termination, or gives notice.
type TerminateAgreement struct {
	AgreementID `json:"id"`
	Mode        TerminationMode `json:"mode"`
	Reason      string          `json:"reason,omitempty"`
	EffectiveOn Date            `json:"effective_on"`
}

// TerminationCalled is one party's call. Remaining are the parties that have not called the same day.
type TerminationCalled struct {
	Partner     PartnerID   `json:"partner"`
	EffectiveOn Date        `json:"effective_on"`
	Reason      string      `json:"reason,omitempty"`
	Remaining   []PartnerID `json:"remaining,omitempty"`
}

// NoticeGiven is one party's termination notice. Leaves says that the agreement goes on without it.
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

func (c TerminateAgreement) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.AgreementID, dc)
	if err != nil {
		return nil, err
	}
	if err := c.validate(dc).err(); err != nil {
		return nil, err
	}
	if err := agreement.requirePartyManager(dc); err != nil {
		return nil, err
	}
	if err := dc.requireSigner(); err != nil {
		return nil, err
	}
	if agreement.AwaitsSignatures() {
		return nil, conflict("agreement_not_signed", "Agreement %s is a draft and cannot be terminated.", agreement.ID)
	}
	if err := agreement.requireChangeable(dc); err != nil {
		return nil, err
	}
	if last := agreement.lastDay(); last != 0 && c.EffectiveOn >= last {
		return nil, conflict("ends_before", "Agreement %s already ends on %s; choose an earlier day.", agreement.ID, last)
	}
	if c.Mode == Mutual {
		return c.call(agreement, dc)
	}
	return c.notice(agreement, dc)
}

func (c TerminateAgreement) validate(dc DecisionContext) (check validation) {
	if c.Mode != Mutual && c.Mode != ByNotice {
		check.add("mode", "%q is unknown; use mutual or notice", c.Mode)
	}
	check.text("reason", c.Reason, 2000, c.Mode == ByNotice)
	check.requiredDate("effective_on", c.EffectiveOn)
	check.notPast("effective_on", c.EffectiveOn, dc)
	return check
}

func (c TerminateAgreement) call(agreement *Agreement, dc DecisionContext) ([]Event, error) {
	caller := dc.Actor.Partner
	parties := agreement.present(agreement.Terms.Parties, dc.At)
	called := func(partner PartnerID) bool {
		return slices.ContainsFunc(agreement.TerminationCalls, func(call TerminationCall) bool { return call.Partner == partner && call.On == c.EffectiveOn })
	}
	event := TerminationCalled{Partner: caller, EffectiveOn: c.EffectiveOn, Reason: c.Reason}
	for _, partner := range parties {
		if partner != caller && !called(partner) {
			event.Remaining = append(event.Remaining, partner)
		}
	}
	if called(caller) && len(event.Remaining) > 0 {
		return nil, conflict("already_called", "%s has already called this; wait for the other partners.", caller)
	}
	events := sharedEvents("", event)
	if len(event.Remaining) > 0 {
		return events, nil
	}
	end := AgreementTerminated{Mutual, c.EffectiveOn, c.Reason, parties}
	for _, call := range agreement.TerminationCalls {
		if end.Reason == "" && call.On == c.EffectiveOn {
			end.Reason = call.Reason
		}
	}
	return append(events, sharedEvents("", end)...), nil
}

func (c TerminateAgreement) notice(agreement *Agreement, dc DecisionContext) ([]Event, error) {
	partner := dc.Actor.Partner
	if notice := agreement.terminationNotice(partner); notice != nil {
		return nil, conflict("notice_given", "%s has already given notice for %s, which cannot be changed.", partner, notice.On)
	}
	if earliest := DateOf(dc.At.UTC()).AddDays(agreement.Terms.NoticeDays); c.EffectiveOn < earliest {
		return nil, conflict("notice_too_short", "Agreement %s has a notice period of %d days; the earliest last day is %s.", agreement.ID, agreement.Terms.NoticeDays, earliest)
	}
	days := []Date{c.EffectiveOn}
	for _, notice := range agreement.TerminationNotices {
		days = append(days, notice.On)
	}
	slices.Sort(days)
	stay := len(agreement.Terms.Parties) - len(days)
	events := sharedEvents("", NoticeGiven{partner, c.EffectiveOn, c.Reason, stay >= 2})
	if stay >= 2 {
		return events, nil
	}
	on := days[len(agreement.Terms.Parties)-2] // the day on which fewer than two parties remain
	if last := agreement.lastDay(); last != 0 && on >= last {
		return events, nil
	}
	return append(events, sharedEvents("", AgreementTerminated{Mode: ByNotice, EffectiveOn: on, Reason: c.Reason})...), nil
}

func (e TerminationCalled) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.freezeForLeavers(header)
	calls := slices.DeleteFunc(slices.Clone(agreement.TerminationCalls), func(call TerminationCall) bool { return call.Partner == e.Partner })
	agreement.TerminationCalls = append(calls, TerminationCall{e.Partner, e.EffectiveOn, e.Reason, header.Member, header.RecordedAt.UnixMicro()})
	agreement.Versions.count(header)
}

func (e NoticeGiven) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.freezeForLeavers(header)
	agreement.TerminationNotices = upsert(agreement.TerminationNotices, TerminationNotice{e.Partner, e.EffectiveOn, e.Reason, header.RecordedAt.UnixMicro(), nil}, TerminationNotice.key)
	agreement.Versions.count(header)
}

func (e AgreementTerminated) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.freezeForLeavers(header)
	agreement.Termination, agreement.TerminationCalls = Termination{e.Mode, e.EffectiveOn, e.Reason, e.CalledBy}, nil
	agreement.Versions.count(header)
}

// departedPartners refuses a plan that adds a partner that has left.
func (v *validation) departedPartners(agreement *Agreement, at time.Time, to, from Plan) {
	if to.Owner != from.Owner && agreement.HasLeft(to.Owner, at) {
		v.add("owner", "%s has left the agreement; name another party", to.Owner)
	}
	for _, partner := range to.Acceptors {
		if !slices.Contains(from.Acceptors, partner) && agreement.HasLeft(partner, at) {
			v.add("acceptors", "%s has left the agreement; name another party", partner)
		}
	}
}
