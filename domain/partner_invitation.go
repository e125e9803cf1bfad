package domain

import (
	"slices"
	"strings"
	"time"
)

// Partners that share no agreement can name each other only after an introduction: a manager of one partner creates an
// invitation and gives its code to the other one, whose manager redeems it. Both then see each other's profile. The
// code is random, and only its SHA-256 is stored.

// InvitationID identifies an invitation of a partner.
type InvitationID string

// InvitationRef identifies an invitation of any partner.
type InvitationRef struct {
	Partner    PartnerID    `json:"partner"`
	Invitation InvitationID `json:"invitation"`
}

// Stream returns the stream of the inviting partner's directory.
func (r InvitationRef) Stream() Stream { return r.Partner.Stream() }

func (r InvitationRef) target(state State) *Versions {
	if partner := state.Partner(r.Partner); partner != nil {
		return partner.Invitation(r.Invitation).versions()
	}
	return nil
}

// maxInvitationDays limits how long a code is valid.
const maxInvitationDays = 90

// Invitation is a code that one other partner can redeem once.
type Invitation struct {
	ID         InvitationID
	Hash       [32]byte // SHA-256 of the code
	Note       string   // only the inviting partner sees it
	CreatedAt  time.Time
	ExpiresAt  time.Time
	Revoked    bool
	RedeemedBy PartnerID // empty: not redeemed
	RedeemedAt time.Time
	Versions   Versions
}

// RedeemableBy reports whether the partner can redeem the invitation of another one at the given time.
func (i *Invitation) RedeemableBy(partner, inviting PartnerID, at time.Time) bool {
	return i != nil && partner != "" && partner != inviting && !i.Revoked && i.RedeemedBy == "" && at.Before(i.ExpiresAt)
}

// HasNotice reports whether the invitation causes a notice to the inviting partner: another one has redeemed it.
func (i *Invitation) HasNotice() bool { return i != nil && i.RedeemedBy != "" }

func (i *Invitation) versions() *Versions {
	if i == nil {
		return nil
	}
	return &i.Versions
}

// Invitation returns the partner's invitation with the given id, or nil.
func (p *Partner) Invitation(id InvitationID) *Invitation {
	at, found := slices.BinarySearchFunc(p.Invitations, id, func(invitation Invitation, id InvitationID) int {
		return strings.Compare(string(invitation.ID), string(id))
	})
	if !found {
		return nil
	}
	return &p.Invitations[at]
}

// RedeemedBy returns the partner's first invitation that the other partner has redeemed, or nil.
func (p *Partner) RedeemedBy(other PartnerID) (first *Invitation) {
	for i := range p.Invitations {
		if invitation := &p.Invitations[i]; invitation.RedeemedBy == other && (first == nil || invitation.RedeemedAt.Before(first.RedeemedAt)) {
			first = invitation
		}
	}
	return first
}

// CreateInvitation creates an invitation whose code has the given SHA-256.
type CreateInvitation struct {
	InvitationRef
	Hash          []byte `json:"hash"`
	Note          string `json:"note,omitempty"`
	ExpiresInDays int    `json:"expires_in_days"`
}

// InvitationCreated is about the invitation named by the event's subject.
type InvitationCreated struct {
	Hash      []byte    `json:"hash"`
	Note      string    `json:"note,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (c CreateInvitation) target(State) *Versions { return nil }

func (c CreateInvitation) decide(state State, dc DecisionContext) ([]Event, error) {
	partner, err := findOwnDirectory(state, c.Partner, dc)
	if err != nil {
		return nil, err
	}
	var check validation
	check.slug("id", string(c.Invitation))
	check.line("note", c.Note, 500, false)
	check.inRange("expires_in_days", c.ExpiresInDays, 1, maxInvitationDays)
	if len(c.Hash) != 32 {
		check.add("hash", "is not a SHA-256 sum; give 32 bytes")
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if partner.Invitation(c.Invitation) != nil {
		return nil, conflict("invitation_exists", "Invitation %s exists; choose another id.", c.Invitation)
	}
	return c.events(c.Invitation, InvitationCreated{c.Hash, c.Note, dc.At.AddDate(0, 0, c.ExpiresInDays)}), nil
}

func (r InvitationRef) events(id InvitationID, payload Payload) []Event {
	return []Event{{Subject: string(id), Audience: PrivateTo(r.Partner), Payload: payload}}
}

// RevokeInvitation ends an invitation that no partner has redeemed.
type RevokeInvitation struct {
	InvitationRef
}

// InvitationRevoked is about the invitation named by the event's subject.
type InvitationRevoked struct{}

func (c RevokeInvitation) decide(state State, dc DecisionContext) ([]Event, error) {
	partner, err := findOwnDirectory(state, c.Partner, dc)
	if err != nil {
		return nil, err
	}
	invitation := partner.Invitation(c.Invitation)
	if invitation == nil || invitation.Revoked {
		return nil, ErrNotFound()
	}
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	if invitation.RedeemedBy != "" {
		return nil, conflict("invitation_redeemed", "%s has redeemed invitation %s.", invitation.RedeemedBy, c.Invitation)
	}
	return c.events(c.Invitation, InvitationRevoked{}), nil
}

// RedeemInvitation introduces the actor's partner to the inviting one. The caller of Decide has found the invitation by
// the code.
type RedeemInvitation struct {
	InvitationRef
}

// InvitationRedeemed is about the invitation named by the event's subject. The inviting partner sees it; the other one
// sees its effect.
type InvitationRedeemed struct {
	By PartnerID `json:"by"`
}

func (c RedeemInvitation) target(State) *Versions { return nil }

// decide first refuses other actors than managers, who would otherwise learn whether a code is valid. Then it gives one
// refusal for all codes that cannot be redeemed.
func (c RedeemInvitation) decide(state State, dc DecisionContext) ([]Event, error) {
	if err := dc.requireManager(); err != nil {
		return nil, err
	}
	partner := state.Partner(c.Partner)
	if partner == nil || !partner.Invitation(c.Invitation).RedeemableBy(dc.Actor.Partner, c.Partner, dc.At) {
		return nil, ErrInvalidCode()
	}
	return c.events(c.Invitation, InvitationRedeemed{dc.Actor.Partner}), nil
}

// ErrInvalidCode is the refusal of a code that is unknown, expired, revoked, redeemed or the partner's own.
func ErrInvalidCode() *Error {
	return &Error{Kind: Invalid, Code: "invalid_code", Detail: "This code cannot be redeemed; ask the other partner for a new one."}
}

func (w *World) editInvitation(header Header, change func(*Invitation)) {
	partner := w.editPartner(header.Stream.Partner)
	invitation := Invitation{ID: InvitationID(header.Subject)}
	if present := partner.Invitation(invitation.ID); present != nil {
		invitation = *present
	}
	change(&invitation)
	invitation.Versions.count(header)
	partner.Invitations = upsert(partner.Invitations, invitation, func(invitation Invitation) string { return string(invitation.ID) })
}

func (e InvitationCreated) apply(world *World, header Header) {
	world.editInvitation(header, func(invitation *Invitation) {
		copy(invitation.Hash[:], e.Hash)
		invitation.Note, invitation.CreatedAt, invitation.ExpiresAt = e.Note, header.RecordedAt, e.ExpiresAt
	})
}

func (InvitationRevoked) apply(world *World, header Header) {
	world.editInvitation(header, func(invitation *Invitation) { invitation.Revoked = true })
}

func (e InvitationRedeemed) apply(world *World, header Header) {
	world.editInvitation(header, func(invitation *Invitation) {
		invitation.RedeemedBy, invitation.RedeemedAt = e.By, header.RecordedAt
	})
}
