package domain

import (
	"slices"
	"time"
)

// PartnerMembers are the contact persons of one party of an agreement: the members whom the others address. They are
// present state and no terms: naming them voids no signature, and a party that joins later sees them.
type PartnerMembers struct {
	Partner PartnerID
	Members []MemberID // in the order that the party has given
}

func (m PartnerMembers) key() string { return string(m.Partner) }

// NameContactPersons names the contact persons of the acting party in place of its former ones; empty: none. Members
// are in another partition, so the server checks that these are present members before it sends the command.
type NameContactPersons struct {
	AgreementID `json:"id"`
	Members     []MemberID `json:"members,omitempty"`
}

// ContactPersonsNamed carries the new and the previous contact persons of one party; empty: none.
type ContactPersonsNamed struct {
	Partner PartnerID  `json:"partner"`
	Members []MemberID `json:"members,omitempty"`
	From    []MemberID `json:"from,omitempty"`
}

func (c NameContactPersons) decide(state State, dc DecisionContext) ([]Event, error) {
	agreement, err := findAgreement(state, c.AgreementID, dc)
	if err != nil {
		return nil, err
	}
	if err := c.validate().err(); err != nil {
		return nil, err
	}
	if err := agreement.requirePartyManager(dc); err != nil {
		return nil, err
	}
	if err := agreement.requireNotLeft(dc); err != nil {
		return nil, err
	}
	if !agreement.AwaitsSignatures() {
		if err := agreement.requireSigned(dc.At); err != nil {
			return nil, err
		}
	}
	event := ContactPersonsNamed{Partner: dc.Actor.Partner, Members: c.Members, From: agreement.ContactPersonsOf(dc.Actor.Partner)}
	if slices.Equal(event.Members, event.From) {
		return nil, conflict("nothing_changes", "%s already has these contact persons for agreement %s.", event.Partner, agreement.ID)
	}
	return sharedEvents("", event), nil
}

func (c NameContactPersons) validate() (check validation) {
	if len(c.Members) > 20 {
		check.add("members", "has %d; at most 20 are allowed", len(c.Members))
	}
	if member, twice := duplicate(c.Members); twice {
		check.add("members", "%s is named twice; name it once", member)
	}
	for _, member := range c.Members {
		check.slug("members", string(member))
	}
	return check
}

// ContactPersonsOf returns the contact persons of the party; empty if it has named none.
func (a *Agreement) ContactPersonsOf(party PartnerID) []MemberID {
	for _, persons := range a.ContactPersons {
		if persons.Partner == party {
			return persons.Members
		}
	}
	return nil
}

func (e ContactPersonsNamed) apply(world *World, header Header) {
	agreement := world.editAgreement(header.Stream.Agreement)
	agreement.freezeForLeavers(header)
	if len(e.Members) == 0 {
		agreement.dropContactPersons(e.Partner)
	} else {
		agreement.ContactPersons = upsert(agreement.ContactPersons, PartnerMembers{e.Partner, e.Members}, PartnerMembers.key)
	}
	agreement.countForParties(header)
}

// countForParties counts an event that partners invited to join do not see.
func (a *Agreement) countForParties(header Header) {
	invitation := a.openInvitation()
	if invitation == nil {
		a.Versions.count(header)
		return
	}
	joiners := invitation.joiners()
	for _, partner := range joiners {
		a.Versions.leave(partner)
	}
	a.Versions.count(header)
	for _, partner := range joiners {
		a.Versions.join(partner, time.UnixMicro(invitation.InvitedAt))
	}
}

// dropContactPersons removes the contact persons of a party, which has cleared them or was removed from the draft.
func (a *Agreement) dropContactPersons(party PartnerID) {
	a.ContactPersons = slices.DeleteFunc(slices.Clone(a.ContactPersons), func(persons PartnerMembers) bool { return persons.Partner == party })
	if len(a.ContactPersons) == 0 {
		a.ContactPersons = nil
	}
}

// Previous returns the former contact persons of the party.
func (e ContactPersonsNamed) Previous() []PreviousValue {
	if len(e.From) == 0 {
		return nil
	}
	return []PreviousValue{{"members", e.From}}
}
