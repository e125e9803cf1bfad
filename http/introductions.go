package http

import (
	"context"
	"crypto/sha256"
	"net/http"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

func introductionRoutes() []*route {
	const invitations, contacts = "/v1/partners/{partner}/invitations", "/v1/partners/{partner}/contacts"
	return []*route{
		readRoute("listInvitations", invitations, "The partner's invitations, without their codes", anyOfPartner, introductionsVisible, api.Invitations{},
			listInvitations, listParameters()...),
		createRoute("createInvitation", invitations, "Create an invitation, whose code only this response shows. Another partner that redeems the code becomes a contact",
			"managers of the partner", introductionsVisible, api.IssuedInvitation{}, command(createInvitation)),
		readRoute("getInvitation", invitations+"/{invitation}", "One invitation, without its code", anyOfPartner, invitationVisible, api.Invitation{}, getInvitation),
		removeRoute("revokeInvitation", invitations+"/{invitation}", "Revoke an invitation that no partner has redeemed", "managers of the partner", invitationVisible,
			deletion(revokeInvitation)),
		readRoute("listContacts", contacts, "The partners that an invitation has introduced", anyOfPartner, introductionsVisible, api.Contacts{},
			listContacts, listParameters()...).withDependency((*projections.View).IntactContacts),
		createRoute("redeemInvitation", contacts, "Redeem another partner's invitation. A code that is unknown, expired, revoked, redeemed or the own one gets 422 invalid_code",
			"managers of the partner", introductionsVisible, api.Contact{}, command(redeemInvitation)),
	}
}

// introductionsVisible admits the partner itself, with a token for all agreements.
func introductionsVisible(req *call, view *projections.View) bool {
	return view.IntroductionsVisible(req.partner())
}

func invitationVisible(req *call, view *projections.View) bool {
	return view.InvitationVisible(req.partner(), req.invitation().Invitation)
}

func (c *call) invitation() domain.InvitationRef {
	return domain.InvitationRef{Partner: c.partner(), Invitation: domain.InvitationID(c.echoCtx.Param("invitation"))}
}

func invitationPath(ref domain.InvitationRef) string {
	return joinPath(partnerPath(ref.Partner)+"/invitations", ref.Invitation)
}

func listInvitations(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := paginate(query, view.Invitations(req.partner()), func(invitation api.Invitation) string { return string(invitation.ID) })
	return projections.Answer{
		Version: view.Version(), Body: api.Invitations{Partner: req.partner(), Invitations: list, NextCursor: next},
	}, query.err()
}

func getInvitation(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	return readInvitation(req.invitation())(view)
}

func readInvitation(ref domain.InvitationRef) resourceReader {
	return func(view *projections.View) (projections.Answer, error) {
		invitation, ok := view.Invitation(ref.Partner, ref.Invitation)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: invitation.Version, Body: invitation}, nil
	}
}

// defaultInvitationDays is how long a code is valid if the request does not say.
const defaultInvitationDays = 14

func createInvitation(req *writeCall, body *api.NewInvitation) (*intent, error) {
	code, days := req.derive.invitationCode(req.commandID), defaultInvitationDays
	setIfGiven(&days, body.ExpiresInDays)
	hash := sha256.Sum256([]byte(code))
	ref := domain.InvitationRef{Partner: req.partner(), Invitation: domain.InvitationID("i-" + req.derive.suffix("invitation", req.commandID, 0))}
	return &intent{
		command: domain.CreateInvitation{InvitationRef: ref, Hash: hash[:], Note: body.Note, ExpiresInDays: days},
		status:  http.StatusCreated, path: invitationPath(ref), read: readInvitation(ref),
		complete: func(_ context.Context, body any) (any, error) {
			invitation, _ := body.(api.Invitation)
			return api.IssuedInvitation{Invitation: invitation, Code: code}, nil
		},
		mapRejection: req.explainTokenLimit,
	}, nil
}

func revokeInvitation(req *writeCall) (*intent, error) {
	return &intent{
		command: domain.RevokeInvitation{InvitationRef: req.invitation()}, status: http.StatusNoContent, path: invitationPath(req.invitation()),
		mapRejection: req.explainTokenLimit,
	}, nil
}

func listContacts(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := paginate(query, view.Contacts(req.partner()), func(contact api.Contact) string { return string(contact.Contact) })
	return projections.Answer{Version: view.Version(), Body: api.Contacts{Partner: req.partner(), Contacts: list, NextCursor: next}}, query.err()
}

// redeemInvitation gives one refusal for all codes that cannot be redeemed, with one receipt, so that a caller learns
// nothing about a code that it did not redeem. The key of a repeat belongs to the inviting partner's directory, which
// holds the receipt of the redemption.
func redeemInvitation(req *writeCall, body *api.Redeeming) (*intent, error) {
	partner := req.partner()
	if req.caller.Role != domain.Manager {
		return nil, refuse(http.StatusForbidden, "manager_only", "Only a manager of a partner can do this; your role is %s.", req.caller.Role)
	}
	ref, invitation, found := req.cfg.ReadModel.FindInvitation(sha256.Sum256([]byte(body.Code)))
	repeat := req.idempotencyKey != "" && invitation.RedeemedBy == partner
	if !found || !repeat && !invitation.RedeemableBy(partner, ref.Partner, req.commandTime()) {
		return nil, domain.ErrInvalidCode()
	}
	if err := req.setCommandID(ref.Stream().Root()); err != nil {
		return nil, err
	}
	return &intent{
		command: domain.RedeemInvitation{InvitationRef: ref}, status: http.StatusCreated, path: partnerPath(ref.Partner),
		read: func(view *projections.View) (projections.Answer, error) {
			contact, ok := view.Contact(partner, ref.Partner)
			if !ok {
				return projections.Answer{}, errNotFound
			}
			return projections.Answer{Version: view.Version(), Body: contact}, nil
		},
		complete: func(_ context.Context, body any) (any, error) { return body, nil }, // the path is that of another resource
	}, nil
}
