package domain

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Audience says who may see an event. The rules:
//
// R16: data private to one partner is invisible to all others everywhere. The id of a private milestone ends in a
// random suffix, so ids cannot be probed; such a milestone has no acceptor; its owner completes it. A private
// forecast stands beside the shared one and never replaces it. The same holds for a private assessment beside the
// owner's report, private evidence beside shared evidence, and a party's private note on an instrument.
//
// R17: sharing appends one event with the present state; earlier events stay private. A milestone becomes public
// only when every participant has approved a change request; see [ChangeRequest]. Neither can be undone. The facts of
// an agreement are public while its terms, which every party signs, announce it; see [Terms].
type Audience string

// Shared is the audience of all participants of a project, of all parties of an agreement, or of the partner
// itself for its directory.
const Shared Audience = "shared"

// Public is the audience of all readers, without a login too. There is no public feed: participants see such an
// event among the shared ones, and the public sees the resulting state.
const Public Audience = "public"

const privatePrefix = "private:"

// PrivateTo returns the audience of one partner.
func PrivateTo(partner PartnerID) Audience { return Audience(privatePrefix + string(partner)) }

// Private returns the only partner that may see the event; false for a shared or public audience.
func (a Audience) Private() (PartnerID, bool) {
	partner, ok := strings.CutPrefix(string(a), privatePrefix)
	return PartnerID(partner), ok
}

// VisibleTo reports whether the partner may see an event of this audience among the given participants. All
// visibility checks use it.
func (a Audience) VisibleTo(partner PartnerID, participants []PartnerID) bool {
	if only, ok := a.Private(); ok && only != partner {
		return false
	}
	return slices.Contains(participants, partner)
}

// Versions counts, for each partner, the events about one entity that it may see. The count is the entity's
// version for that partner.
type Versions struct {
	Shared  EventCount
	Private []PartnerCount // sorted by partner; replaced, never modified
	Unseen  []PartnerCount // shared events from before a partner joined, which it does not see; sorted, replaced

	First *FirstEvents // nil before the first event; replaced, never modified
}

// FirstEvents are the first event about an entity and the first that is shared. They rarely change, so they are kept
// apart from the counts, which are copied with each change.
type FirstEvents struct {
	Event      Creation
	PrivateFor PartnerID // the partner to which that event is private; empty: it is shared
	Shared     Creation  // the first shared event, if the first one is private
}

// Creation says when an entity was created, and by whom.
type Creation struct {
	At      int64     // microseconds since 1970 UTC
	Partner PartnerID // empty for the operator and the system
	Member  MemberID
}

// CreationFor returns the creation as the partner may know it: of an entity that was shared later, the sharing; false if
// it does not see that event.
func (v Versions) CreationFor(partner PartnerID) (creation Creation, seen bool) {
	switch first := v.First; {
	case first == nil:
		return Creation{}, false
	case first.PrivateFor == "":
		creation = first.Event
	case first.PrivateFor == partner:
		return first.Event, true
	default:
		creation = first.Shared
	}
	return creation, creation.At != 0 && v.sees(partner, creation)
}

// sees reports whether the partner had access when the shared event was recorded.
func (v Versions) sees(partner PartnerID, shared Creation) bool {
	return !slices.ContainsFunc(v.Unseen, func(count PartnerCount) bool {
		return count.Partner == partner && count.Count.LastAt > shared.At
	})
}

// EventCount is a number of events and the time of the last one, in microseconds since 1970 UTC.
type EventCount struct {
	Events uint64
	LastAt int64
}

// PartnerCount is an EventCount for one partner.
type PartnerCount struct {
	Partner PartnerID
	Count   EventCount
}

// For returns the version, and the time of the last change, as the partner may know them.
func (v Versions) For(partner PartnerID) (version uint64, at time.Time) {
	count := v.Shared
	for _, unseen := range v.Unseen {
		switch {
		case unseen.Partner != partner:
		case unseen.Count.Events > count.Events: // the partner left
			count = EventCount{}
		case unseen.Count.Events == count.Events: // no shared event since it joined
			count = EventCount{LastAt: unseen.Count.LastAt}
		default:
			count.Events -= unseen.Count.Events
		}
	}
	for _, own := range v.Private {
		if own.Partner == partner {
			count = EventCount{count.Events + own.Count.Events, max(count.LastAt, own.Count.LastAt)}
		}
	}
	return count.Events, time.UnixMicro(count.LastAt).UTC()
}

// join starts the count for a partner that joins, or resumes it for one that returns.
func (v *Versions) join(partner PartnerID, at time.Time) {
	v.Unseen = upsert(v.Unseen, PartnerCount{partner, EventCount{v.Shared.Events, at.UnixMicro()}}, PartnerCount.key)
}

// hasLeft reports whether the partner's count has ended.
func (v Versions) hasLeft(partner PartnerID) bool {
	return slices.ContainsFunc(v.Unseen, func(count PartnerCount) bool { return count.Partner == partner && count.Count.Events > v.Shared.Events })
}

// leave ends the count for a partner that loses access. Its present version becomes its private count, so that
// versions do not repeat if it returns.
func (v *Versions) leave(partner PartnerID) {
	version, at := v.For(partner)
	v.Private = upsert(v.Private, PartnerCount{partner, EventCount{version, at.UnixMicro()}}, PartnerCount.key)
	joined := int64(0) // it still does not see what was recorded before
	for _, unseen := range v.Unseen {
		if unseen.Partner == partner {
			joined = unseen.Count.LastAt
		}
	}
	v.Unseen = upsert(v.Unseen, PartnerCount{partner, EventCount{math.MaxUint64, joined}}, PartnerCount.key)
}

func (m PartnerCount) key() string { return string(m.Partner) }

// creation describes the event's commit.
func (h Header) creation() Creation { return Creation{h.RecordedAt.UnixMicro(), h.Partner, h.Member} }

// count adds an event about the entity, and remembers the first one.
func (v *Versions) count(header Header) {
	switch only, private := header.Audience.Private(); {
	case v.First == nil:
		v.First = &FirstEvents{Event: header.creation(), PrivateFor: only}
		if !private {
			v.First.PrivateFor = ""
		}
	case v.First.PrivateFor != "" && v.First.Shared.At == 0 && !private:
		first := *v.First
		first.Shared = header.creation()
		v.First = &first
	}
	v.Count(header.Audience, header.RecordedAt)
}

// Count adds an event with the given audience, recorded at the given time.
func (v *Versions) Count(audience Audience, at time.Time) {
	partner, private := audience.Private()
	if !private {
		v.Shared = EventCount{v.Shared.Events + 1, at.UnixMicro()}
		return
	}
	i, found := slices.BinarySearchFunc(v.Private, partner, func(count PartnerCount, partner PartnerID) int {
		return strings.Compare(string(count.Partner), string(partner))
	})
	marks := slices.Clone(v.Private)
	if !found {
		marks = slices.Insert(marks, i, PartnerCount{Partner: partner})
	}
	marks[i].Count = EventCount{marks[i].Count.Events + 1, at.UnixMicro()}
	v.Private = marks
}
