package projections

import (
	"time"

	"tandem/api"
	"tandem/domain"
)

// Invitation returns an invitation of the viewer's own partner without its code, or false if it is invisible.
func (v *View) Invitation(partner domain.PartnerID, id domain.InvitationID) (api.Invitation, bool) {
	node := v.ownDirectory(partner)
	if node == nil {
		return api.Invitation{}, false
	}
	invitation := node.entity.Invitation(id)
	if invitation == nil {
		return api.Invitation{}, false
	}
	shape := api.Invitation{
		Partner: partner, ID: id, Note: invitation.Note, CreatedAt: invitation.CreatedAt.UTC(), ExpiresAt: invitation.ExpiresAt.UTC(),
		Revoked: invitation.Revoked, RedeemedBy: nilIfZero(invitation.RedeemedBy),
		URL: v.url("partners", string(partner), "invitations", string(id)),
	}
	if invitation.RedeemedBy != "" {
		shape.RedeemedAt = new(invitation.RedeemedAt.UTC())
	}
	shape.Version, shape.UpdatedAt = invitation.Versions.For(partner)
	shape.Creation = v.creation(invitation.Versions)
	return shape, true
}

// Invitations returns the partner's invitations, sorted by id.
func (v *View) Invitations(partner domain.PartnerID) []api.Invitation {
	shapes := []api.Invitation{}
	if node := v.ownDirectory(partner); node != nil {
		for i := range node.entity.Invitations {
			if invitation, ok := v.Invitation(partner, node.entity.Invitations[i].ID); ok {
				shapes = append(shapes, invitation)
			}
		}
	}
	return shapes
}

// IntroductionsVisible reports whether the viewer can see the partner's invitations and contacts.
func (v *View) IntroductionsVisible(partner domain.PartnerID) bool {
	return v.ownDirectory(partner) != nil
}

// InvitationVisible reports whether the viewer can see the invitation.
func (v *View) InvitationVisible(partner domain.PartnerID, id domain.InvitationID) bool {
	_, visible := v.Invitation(partner, id)
	return visible
}

// Contact returns a contact of the viewer's own partner, or false if the partner is not a contact.
func (v *View) Contact(partner, contact domain.PartnerID) (api.Contact, bool) {
	if v.ownDirectory(partner) == nil {
		return api.Contact{}, false
	}
	introduction, invited := v.introduction(partner, contact)
	if introduction == nil {
		return api.Contact{}, false
	}
	return api.Contact{
		Partner: partner, Contact: contact, Name: v.name(contact), Since: introduction.RedeemedAt.UTC(), Invited: invited,
		URL: v.url("partners", string(contact)),
	}, true
}

// introduction returns the invitation that introduced two partners to each other, the earlier one of two, and whether it
// is the first partner's. It returns nil if they are no contacts.
func (v *View) introduction(partner, contact domain.PartnerID) (invitation *domain.Invitation, own bool) {
	if one := v.store.Partner(partner); one != nil {
		invitation, own = one.RedeemedBy(contact), true
	}
	if other := v.store.Partner(contact); other != nil {
		if theirs := other.RedeemedBy(partner); theirs != nil && (invitation == nil || theirs.RedeemedAt.Before(invitation.RedeemedAt)) {
			return theirs, false
		}
	}
	return invitation, own
}

// Contacts returns the partner's contacts, sorted by id.
func (v *View) Contacts(partner domain.PartnerID) []api.Contact {
	shapes := []api.Contact{}
	if v.ownDirectory(partner) != nil {
		for _, id := range v.contacts() {
			if contact, ok := v.Contact(partner, id); ok {
				shapes = append(shapes, contact)
			}
		}
	}
	return shapes
}

// invitationItem is the notice that another partner has redeemed an invitation.
func (v inbox) invitationItem(invitation *domain.Invitation) api.InboxItem {
	return v.notice(domain.NoticeOfInvitation(invitation.ID), v.name(invitation.RedeemedBy),
		v.text("invitation_redeemed", values{"Partner": v.nameAt(invitation.RedeemedBy, invitation.RedeemedAt.UnixMicro()), "Invitation": string(invitation.ID)}),
		invitation.RedeemedAt, v.url("partners", string(invitation.RedeemedBy)))
}

// contactItems are the notices of introductions by invitations of other partners.
func (v inbox) contactItems() (items []api.InboxItem) {
	for _, id := range v.contacts() {
		if other := v.store.Partner(id); other != nil {
			if redeemed := other.RedeemedBy(v.viewer.Partner); redeemed != nil {
				items = append(items, v.notice(domain.NoticeOfContact(id), v.name(id),
					v.text("introduced", values{"Partner": v.nameAt(id, redeemed.RedeemedAt.UnixMicro())}),
					redeemed.RedeemedAt, v.url("partners", string(id))))
			}
		}
	}
	return items
}

// renameItems are the notices of renames of counterparties that the viewer has seen happen, one for each rename.
func (v inbox) renameItems() (items []api.InboxItem) {
	shown := map[domain.NoticeID]bool{}
	for _, agreement := range v.agreements() {
		if agreement.entity.HasLeft(v.viewer.Partner, v.now) {
			continue
		}
		since := agreement.index.firstVisible(v.viewer.Partner)
		for _, rename := range agreement.entity.Renames {
			id := domain.NoticeOfRename(rename.Party, rename.Number)
			if rename.Party == v.viewer.Partner || rename.At < since || shown[id] {
				continue
			}
			shown[id] = true
			items = append(items, v.notice(id, rename.To, v.text("renamed", values{"From": rename.From, "To": rename.To}),
				time.UnixMicro(rename.At), v.url("partners", string(rename.Party))))
		}
	}
	return items
}
