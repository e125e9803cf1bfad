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
func PrivateTo(p PartnerID) Audience { return Audience(privatePrefix + string(p)) }

// Private returns the one partner that may see it; false for a shared or public audience.
func (a Audience) Private() (PartnerID, bool) {
	p, ok := strings.CutPrefix(string(a), privatePrefix)
	return PartnerID(p), ok
}

// Sees reports whether partner p may see what has audience a in a place where all is known to
// those. It is the one test of visibility.
func (a Audience) Sees(p PartnerID, those []PartnerID) bool {
	if only, ok := a.Private(); ok && only != p {
		return false
	}
	return slices.Contains(those, p)
}

// Seen counts the events about one thing that each partner may see: the version and the time of
// change that it may know.
type Seen struct {
	Shared  Mark
	Private []PrivateMark // sorted by partner; replaced, never changed
	Before  []PrivateMark // the shared events from before a partner joined, which it does not see; likewise
}

// Mark is a number of events and the time of the last of them, in microseconds since 1970 UTC.
type Mark struct {
	N  uint64
	At int64
}

// PrivateMark is a Mark of events that only one partner sees.
type PrivateMark struct {
	Partner PartnerID
	Mark    Mark
}

// For returns the version and the time of the last change as partner p may know them.
func (s Seen) For(p PartnerID) (version uint64, at time.Time) {
	m := s.Shared
	for _, unseen := range s.Before {
		switch {
		case unseen.Partner != p:
		case unseen.Mark.N > m.N: // it left
			m = Mark{}
		case unseen.Mark.N == m.N: // nothing happened since it joined
			m = Mark{At: unseen.Mark.At}
		default:
			m.N -= unseen.Mark.N
		}
	}
	for _, own := range s.Private {
		if own.Partner == p {
			m = Mark{m.N + own.Mark.N, max(m.At, own.Mark.At)}
		}
	}
	return m.N, time.UnixMicro(m.At).UTC()
}

// join begins the count for a partner that sees from now on, or goes on with the count of one that left.
func (s *Seen) join(p PartnerID, at time.Time) {
	s.Before = put(s.Before, PrivateMark{p, Mark{s.Shared.N, at.UnixMicro()}}, PrivateMark.key)
}

// gone reports whether p has left.
func (s Seen) gone(p PartnerID) bool {
	return slices.ContainsFunc(s.Before, func(m PrivateMark) bool { return m.Partner == p && m.Mark.N > s.Shared.N })
}

// leave ends the count for a partner that sees no more. What it has seen it keeps as its own, so that no
// version comes twice should it join again.
func (s *Seen) leave(p PartnerID) {
	n, at := s.For(p)
	s.Private = put(s.Private, PrivateMark{p, Mark{n, at.UnixMicro()}}, PrivateMark.key)
	s.Before = put(s.Before, PrivateMark{p, Mark{N: math.MaxUint64}}, PrivateMark.key)
}

func (m PrivateMark) key() string { return string(m.Partner) }

// Count adds an event with audience a, recorded at the given time.
func (s *Seen) Count(a Audience, at time.Time) {
	p, private := a.Private()
	if !private {
		s.Shared = Mark{s.Shared.N + 1, at.UnixMicro()}
		return
	}
	i, found := slices.BinarySearchFunc(s.Private, p, func(m PrivateMark, p PartnerID) int {
		return strings.Compare(string(m.Partner), string(p))
	})
	marks := slices.Clone(s.Private)
	if !found {
		marks = slices.Insert(marks, i, PrivateMark{Partner: p})
	}
	marks[i].Mark = Mark{marks[i].Mark.N + 1, at.UnixMicro()}
	s.Private = marks
}
