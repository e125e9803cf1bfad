package projections

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"tandem/domain"
)

// Amendments returns the amendments of an agreement that the viewer may see, by number.
func (v *View) Amendments(id domain.AgreementID) []Amendment {
	shapes := []Amendment{}
	if a := v.agreement(id); a != nil {
		for _, x := range a.entity.Amendments {
			if a.entity.Shows(x, v.who.Partner, v.now) {
				shapes = append(shapes, v.amendmentShape(a.entity, x))
			}
		}
	}
	return shapes
}

// Amendment returns an amendment.
func (v *View) Amendment(id domain.AgreementID, number int) (Amendment, bool) {
	a := v.agreement(id)
	if a == nil {
		return Amendment{}, false
	}
	x := a.entity.Amendment(number)
	if x == nil || !a.entity.Shows(x, v.who.Partner, v.now) {
		return Amendment{}, false
	}
	return v.amendmentShape(a.entity, x), true
}

// AmendmentNumber returns the number of the amendment that was proposed with the given key; 0: there is none.
func (v *View) AmendmentNumber(id domain.AgreementID, key string) int {
	if a := v.agreement(id); a != nil && key != "" {
		for _, x := range a.entity.Amendments {
			if x.Key == key && a.entity.Shows(x, v.who.Partner, v.now) {
				return x.Number
			}
		}
	}
	return 0
}

// Joined reports whether the viewer became a party of the agreement by an amendment.
func (v *View) Joined(id domain.AgreementID) bool {
	a := v.agreement(id)
	return a != nil && a.entity.Joined(v.who.Partner)
}

func (v *View) amendmentShape(a *domain.Agreement, x *domain.Amendment) Amendment {
	shape := Amendment{
		Agreement: a.ID, Number: x.Number, Title: x.Title, State: x.State, ProposedBy: x.By,
		ProposedAt: time.UnixMicro(x.ProposedAt).UTC(), Changes: termsChanges(x.Changes), From: termsFields(x.From),
		Signatures: map[domain.PartnerID]*Signature{}, Invited: x.InvitedAt != 0, URL: v.amendmentURL(a.ID, x.Number),
	}
	for _, p := range x.Signers() {
		shape.Signatures[p] = nil
	}
	for _, s := range x.Signatures {
		shape.Signatures[s.Partner] = &Signature{s.Signatory, s.SignedOn}
	}
	if x.DecidedAt != 0 {
		shape.DecidedAt = new(time.UnixMicro(x.DecidedAt).UTC())
	}
	switch x.State {
	case domain.AmendmentRefused:
		shape.Rejection = &AmendmentRejection{x.RejectedBy, x.Why}
	case domain.AmendmentVoid:
		shape.Void = &AmendmentVoid{x.Broken.Field, orNull(x.Broken.Instrument)}
	}
	shape.Version, shape.UpdatedAt = x.Seen.For(v.who.Partner)
	return shape
}

func termsFields(c domain.TermsChange) TermsFields {
	return TermsFields{c.Title, orNull(c.ExpiresOn), orNull(c.NoEnd), c.AcceptanceDays, c.DeemedAcceptance, c.ForecastToleranceDays}
}

func termsChanges(c domain.AmendmentChanges) TermsChanges {
	f := termsFields(c.Terms)
	shape := TermsChanges{
		Title: f.Title, ExpiresOn: f.ExpiresOn, NoEnd: f.NoEnd, AcceptanceDays: f.AcceptanceDays,
		DeemedAcceptance: f.DeemedAcceptance, ForecastToleranceDays: f.ForecastToleranceDays,
	}
	for n := range c.AddInstruments {
		shape.AddInstruments = append(shape.AddInstruments, addedShape(&c.AddInstruments[n]))
	}
	for _, e := range c.EndInstruments {
		shape.EndInstruments = append(shape.EndInstruments, EndedInstrument{e.ID, e.ExpiresOn, orNull(e.From)})
	}
	for _, j := range c.Join {
		shape.Join = append(shape.Join, JoiningPartner{j.Partner})
	}
	return shape
}

func addedShape(i *domain.Instrument) AddedInstrument {
	shape := AddedInstrument{
		i.ID, i.Kind, i.Title, rolesShape(i), i.EffectiveOn, orNull(i.ExpiresOn), i.Disclosure, []AddedItem{}, []AddedObligation{},
	}
	for _, item := range i.Schedule {
		shape.Schedule = append(shape.Schedule, AddedItem{item.ID, item.Title, item.Kind, orNull(item.Count), item.Note})
	}
	for _, o := range i.Obligations {
		shape.Obligations = append(shape.Obligations, AddedObligation(o))
	}
	return shape
}

func (v *View) amendmentURL(a domain.AgreementID, number int) string {
	return v.url("agreements", string(a), "amendments", strconv.Itoa(number))
}

// amendmentItems returns the amendments that wait for the viewer's signature.
func (v *View) amendmentItems(a *agreementNode) (items []InboxItem) {
	for _, x := range a.entity.Amendments {
		if !x.Awaits(v.who.Partner) || !a.entity.Shows(x, v.who.Partner, v.now) {
			continue
		}
		since, reason := x.ProposedAt, fmt.Sprintf("%s proposes amendment %d: %s", v.name(x.By), x.Number, x.Title)
		if !a.entity.Party(v.who.Partner) {
			since, reason = x.InvitedAt, fmt.Sprintf("You are invited to join by amendment %d: %s", x.Number, x.Title)
		}
		items = append(items, InboxItem{
			Kind: "amendment", Agreement: &a.id, Amendment: &x.Number, Title: a.entity.Terms.Title, Reason: reason,
			Since: time.UnixMicro(since).UTC(), URL: v.amendmentURL(a.id, x.Number),
		})
	}
	return items
}

// terminationShape tells of an end that is set, else of the one that was called first; nil: there is none.
func terminationShape(a *domain.Agreement) *Termination {
	if e := a.Ending; e.On != 0 {
		return &Termination{e.Mode, e.On, e.Reason, list(e.CalledBy), true}
	}
	if len(a.EndCalls) == 0 {
		return nil
	}
	first := a.EndCalls[0]
	shape := &Termination{domain.Mutual, first.On, first.Reason, []domain.PartnerID{}, false}
	for _, c := range a.EndCalls {
		if c.On == first.On {
			shape.CalledBy = append(shape.CalledBy, c.Partner)
		}
	}
	return shape
}

// endItems returns the ends that others have called, which wait for the viewer's call, and the notices
// that they have given, until they take effect.
func (v *View) endItems(n *agreementNode) (items []InboxItem) {
	a, me := v.as(n), v.who.Partner
	add := func(kind, reason string, at int64) {
		items = append(items, InboxItem{
			Kind: kind, Agreement: &n.id, Title: a.Terms.Title, Reason: reason,
			Since: time.UnixMicro(at).UTC(), URL: v.url("agreements", string(n.id)),
		})
	}
	if a.State(v.now) != domain.AgreementActive || !a.Party(me) {
		return nil
	}
	today := domain.DateOf(v.now.UTC())
	for _, x := range a.Notices {
		if x.Partner != me && today <= x.On {
			add("notice", fmt.Sprintf("%s gave notice for %s: %s", v.name(x.Partner), x.On, x.Reason), x.At)
		}
	}
	for i, c := range a.EndCalls {
		same := func(x domain.EndCall) bool { return x.On == c.On }
		mine := func(x domain.EndCall) bool { return same(x) && x.Partner == me }
		if today > c.On || slices.ContainsFunc(a.EndCalls, mine) || slices.ContainsFunc(a.EndCalls[:i], same) {
			continue // the first call stands for all
		}
		reason := fmt.Sprintf("%s called the agreement's end on %s", v.name(c.Partner), c.On)
		if c.Reason != "" {
			reason += ": " + c.Reason
		}
		add("stage", reason, c.At)
	}
	return items
}
