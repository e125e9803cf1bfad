package domain

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Audience says who may see an event. The rules:
//
// R16: what is private to one partner is invisible to the others everywhere. The id of a private
// milestone ends in a random suffix, so that ids cannot be probed; it needs no acceptor and cannot
// be delivered. A private forecast stands beside the shared one and never replaces it; likewise a private
// assessment beside the owner's report, private evidence beside what a delivery shows, and a party's private
// note on an instrument.
//
// R17: sharing appends one event with the present state; earlier events stay private. Something becomes
// public only when every participant approved it by a change request, see [ChangeRequest]. Nothing goes
// back.
type Audience string

// Shared is the audience of all who take part: a project's participants, an agreement's parties,
// or the partner itself for its directory.
const Shared Audience = "shared"

// Public is the audience of everybody. There is no feed for the public: who takes part sees such an
// event among the shared ones, and everybody else the state that it made public.
const Public Audience = "public"

const privatePrefix = "private:"

// PrivateTo returns the audience of one partner.
func PrivateTo(partner PartnerID) Audience { return Audience(privatePrefix + string(partner)) }

// Private returns the one partner that may see it; false for a shared or public audience.
func (a Audience) Private() (PartnerID, bool) {
	partner, ok := strings.CutPrefix(string(a), privatePrefix)
	return PartnerID(partner), ok
}

// VisibleTo reports whether partner p may see what has audience a in a place where all is known to
// those. It is the one test of visibility.
func (a Audience) VisibleTo(partner PartnerID, participants []PartnerID) bool {
	if only, ok := a.Private(); ok && only != partner {
		return false
	}
	return slices.Contains(participants, partner)
}

// Versions counts the events about one thing that each partner may see: the version and the time of
// change that it may know.
type Versions struct {
	Shared  EventCount
	Private []PartnerCount // sorted by partner; replaced, never changed
	Unseen  []PartnerCount // the shared events from before a partner joined, which it does not see; likewise
}

// EventCount is a number of events and the time of the last of them, in microseconds since 1970 UTC.
type EventCount struct {
	Events uint64
	LastAt int64
}

// PartnerCount is a Mark of events that only one partner sees.
type PartnerCount struct {
	Partner PartnerID
	Count   EventCount
}

// For returns the version and the time of the last change as partner p may know them.
func (s Versions) For(partner PartnerID) (version uint64, at time.Time) {
	count := s.Shared
	for _, unseen := range s.Unseen {
		switch {
		case unseen.Partner != partner:
		case unseen.Count.Events > count.Events: // it left
			count = EventCount{}
		case unseen.Count.Events == count.Events: // nothing happened since it joined
			count = EventCount{LastAt: unseen.Count.LastAt}
		default:
			count.Events -= unseen.Count.Events
		}
	}
	for _, own := range s.Private {
		if own.Partner == partner {
			count = EventCount{count.Events + own.Count.Events, max(count.LastAt, own.Count.LastAt)}
		}
	}
	return count.Events, time.UnixMicro(count.LastAt).UTC()
}

// join begins the count for a partner that sees from now on, or goes on with the count of one that left.
func (s *Versions) join(partner PartnerID, at time.Time) {
	s.Unseen = upsert(s.Unseen, PartnerCount{partner, EventCount{s.Shared.Events, at.UnixMicro()}}, PartnerCount.key)
}

// hasLeft reports whether p has left.
func (s Versions) hasLeft(partner PartnerID) bool {
	return slices.ContainsFunc(s.Unseen, func(count PartnerCount) bool { return count.Partner == partner && count.Count.Events > s.Shared.Events })
}

// leave ends the count for a partner that sees no more. What it has seen it keeps as its own, so that no
// version comes twice should it join again.
func (s *Versions) leave(partner PartnerID) {
	version, at := s.For(partner)
	s.Private = upsert(s.Private, PartnerCount{partner, EventCount{version, at.UnixMicro()}}, PartnerCount.key)
	s.Unseen = upsert(s.Unseen, PartnerCount{partner, EventCount{Events: math.MaxUint64}}, PartnerCount.key)
}

func (m PartnerCount) key() string { return string(m.Partner) }

// Count adds an event with audience a, recorded at the given time.
func (s *Versions) Count(audience Audience, at time.Time) {
	partner, private := audience.Private()
	if !private {
		s.Shared = EventCount{s.Shared.Events + 1, at.UnixMicro()}
		return
	}
	i, found := slices.BinarySearchFunc(s.Private, partner, func(count PartnerCount, partner PartnerID) int {
		return strings.Compare(string(count.Partner), string(partner))
	})
	marks := slices.Clone(s.Private)
	if !found {
		marks = slices.Insert(marks, i, PartnerCount{Partner: partner})
	}
	marks[i].Count = EventCount{marks[i].Count.Events + 1, at.UnixMicro()}
	s.Private = marks
}
