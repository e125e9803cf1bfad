package domain

import (
	"slices"
	"time"
)

// No partner can pass for another: names of partners that look alike belong to one partner. Directories lie in different
// partitions, so a name is reserved in the register of names, a stream of its own, before the directory takes it. The
// caller of Decide computes the keys of a name, of which names that look alike have one in common.
//
// A reservation is valid for an hour. Another partner can take over an unused one after a day; the difference allows for
// clocks of nodes that differ. A present or former name is never taken over, which the caller ensures: it knows the
// names of all partners.
const (
	reservationValid = time.Hour
	reservationHeld  = 24 * time.Hour
)

// NameRegister is the stream of the reserved names.
var NameRegister = Stream{Register: true}

// NameReservation entitles a directory to take a name.
type NameReservation struct {
	Keys []string  `json:"keys"`
	At   time.Time `json:"at"` // not later than the reservation was recorded
}

// ReservedName is a key of a name and the partner that has reserved it.
type ReservedName struct {
	Key     string
	Partner PartnerID
	At      time.Time
}

// ReserveName reserves a name for a partner. The caller of Decide has checked that no other partner has or had a name
// with one of the keys.
type ReserveName struct {
	Partner PartnerID `json:"partner"`
	Keys    []string  `json:"keys"`
}

// NameReserved replaces earlier reservations of the same keys.
type NameReserved struct {
	Partner PartnerID `json:"partner"`
	Keys    []string  `json:"keys"`
}

// Stream returns the register of names.
func (ReserveName) Stream() Stream { return NameRegister }

func (ReserveName) target(State) *Versions { return nil }

func (c ReserveName) decide(state State, dc DecisionContext) ([]Event, error) {
	if dc.Actor.Role != Operator && (dc.Actor.Role != Manager || dc.Actor.Partner != c.Partner) {
		return nil, ErrNotFound()
	}
	var check validation
	check.slug("partner", string(c.Partner))
	if len(c.Keys) == 0 {
		check.add("name", "has no visible character; use letters or digits")
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	for _, key := range c.Keys {
		if held := state.ReservedName(key); held != nil && held.Partner != c.Partner && dc.At.Sub(held.At) < reservationHeld {
			return nil, ErrNameTaken()
		}
	}
	return sharedEvents("", NameReserved(c)), nil
}

// ErrNameTaken does not disclose which partner has the name, because the actor may not know that partner.
func ErrNameTaken() *Error {
	return conflict("name_taken", "This name, or one that looks like it, is taken; choose another.")
}

func (e NameReserved) apply(world *World, header Header) {
	for _, key := range e.Keys {
		*world.editReservedName(key) = ReservedName{key, e.Partner, header.RecordedAt}
	}
}

// require refuses a name without a valid reservation.
func (r NameReservation) require(dc DecisionContext) error {
	if len(r.Keys) == 0 || dc.At.Sub(r.At) > reservationValid {
		return conflict("name_not_reserved", "The name is no longer reserved; send the request again, with another idempotency key if it has one.")
	}
	return nil
}

// Rename is a change of a partner's name.
type Rename struct {
	Number int // of the partner's renames, from 1; 0 for one from before names were reserved
	From   string
	To     string
	At     int64 // microseconds since 1970 UTC
	// GivenUp: the operator changed the name, and other partners may use the former one. A name that the partner itself
	// has changed stays reserved for it, because older sentences contain it.
	GivenUp bool
}

// HasName reports whether the present name, or a former one that the partner has not given up, has one of the keys.
func (p *Partner) HasName(keys []string, keysOf func(string) []string) bool {
	matches := func(name string) bool {
		return slices.ContainsFunc(keysOf(name), func(key string) bool { return slices.Contains(keys, key) })
	}
	return matches(p.Name) || slices.ContainsFunc(p.Renames, func(rename Rename) bool { return !rename.GivenUp && matches(rename.From) })
}

// addRename keeps a change of the name. Only renames with a reserved name are announced to counterparties.
func (p *Partner) addRename(e PartnerEdited, header Header) {
	if e.To.Name == e.From.Name {
		return
	}
	rename := Rename{From: e.From.Name, To: e.To.Name, At: header.RecordedAt.UnixMicro(), GivenUp: header.Partner == ""}
	if len(e.NameKeys) > 0 {
		rename.Number = p.lastRename() + 1
	}
	p.Renames = with(p.Renames, rename)
}

// lastRename returns the number of the last announced rename, or 0.
func (p *Partner) lastRename() int {
	if len(p.Renames) == 0 {
		return 0
	}
	return p.Renames[len(p.Renames)-1].Number
}

// PartyRename is a rename of a party as an agreement records it.
type PartyRename struct {
	Party  PartnerID `json:"party"`
	Number int       `json:"number"` // of the party's renames
	From   string    `json:"from"`
	To     string    `json:"to"`
}

// RecordedRename is a PartyRename with the time at which the agreement recorded it.
type RecordedRename struct {
	PartyRename
	At int64 // microseconds since 1970 UTC
}

// RenameParty records a rename in an agreement. Tandem issues it for each agreement of the partner until the agreement
// has recorded the rename.
type RenameParty struct {
	AgreementID `json:"id"`
	Rename      PartyRename `json:"rename"`
}

// PartyRenamed records that a party has a new name. The party's directory has the same change.
type PartyRenamed struct {
	PartyRename
}

func (c RenameParty) target(State) *Versions { return nil }

func (c RenameParty) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement := state.Agreement(c.AgreementID)
	if dc.Actor.Role != System || agreement == nil || !agreement.readBy(c.Rename.Party, dc.At) {
		return nil, ErrNotFound()
	}
	if !agreement.AwaitsRename(c.Rename.Party, c.Rename.Number, dc.At) {
		return nil, conflict("rename_recorded", "Agreement %s has recorded rename %d of %s.", c.AgreementID, c.Rename.Number, c.Rename.Party)
	}
	return sharedEvents("", PartyRenamed{c.Rename}), nil
}

// AwaitsRename reports whether the agreement has to record a rename of a partner that reads it at the given time.
// Renames are recorded in order.
func (a *Agreement) AwaitsRename(party PartnerID, number int, at time.Time) bool {
	return a.readBy(party, at) && !slices.ContainsFunc(a.Renames, func(rename RecordedRename) bool {
		return rename.Party == party && rename.Number >= number
	})
}

// readBy reports whether the partner is a party that has not left, or invited.
func (a *Agreement) readBy(partner PartnerID, at time.Time) bool {
	return a.VisibleTo(partner) && !a.HasLeft(partner, at)
}

func (e PartyRenamed) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.freezeForLeavers(header)
	agreement.Renames = with(agreement.Renames, RecordedRename{e.PartyRename, header.RecordedAt.UnixMicro()})
	agreement.Versions.count(header)
}

// Previous returns the former name.
func (e PartyRenamed) Previous() []PreviousValue { return []PreviousValue{{"from", e.From}} }
