package projections_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/projections"
)

// invite lets zte join by the amendment with the given number, up to its own signature.
func (h *house) invite(number int) {
	h.do("nokia", domain.ProposeAmendment{ID: agreementID, Title: "ZTE joins", Changes: domain.AmendmentChanges{
		Join: []domain.Joining{{Partner: "zte"}},
	}})
	h.do("xiaomi", domain.SignAmendment{ID: agreementID, Number: number})
	h.do("nokia", domain.SignAmendment{ID: agreementID, Number: number})
}

func (i *image) feed(t *testing.T, p domain.PartnerID) []projections.Event {
	i.caughtUp(t)
	events, ok, err := i.AgreementEvents(context.Background(), partner(p), agreementID, "", 1000)
	require.True(t, ok)
	require.NoError(t, err)
	return events.Events
}

func types(events []projections.Event) (list []string) {
	for _, e := range events {
		list = append(list, e.Type)
	}
	return list
}

// R17: a joiner's feed is dense from its invitation on and shows nothing of before; what the others do
// without it moves nothing of its own.
func TestAJoinersFeedBeginsWithItsInvitation(t *testing.T) {
	h, i := portfolio(t)
	h.do("", domain.CreatePartner{ID: "zte", Profile: domain.PartnerProfile{Name: "ZTE", Country: "CN", TimeZone: "Asia/Shanghai"}})
	h.do("xiaomi", domain.ProposeAmendment{ID: agreementID, Title: "Older", Changes: domain.AmendmentChanges{Terms: domain.TermsChange{AcceptanceDays: new(20)}}})
	i.caughtUp(t)
	v := partner("zte")
	quiet := i.Changed(v)
	h.do("nokia", domain.ProposeAmendment{ID: agreementID, Title: "ZTE joins", Changes: domain.AmendmentChanges{Join: []domain.Joining{{Partner: "zte"}}}})
	h.do("xiaomi", domain.SignAmendment{ID: agreementID, Number: 2})
	i.caughtUp(t)
	select {
	case <-quiet:
		t.Fatal("zte is told of what it may not know")
	default:
	}
	h.do("nokia", domain.SignAmendment{ID: agreementID, Number: 2})
	require.Equal(t, []string{"agreement.party_invited"}, types(i.feed(t, "zte")))
	require.Equal(t, []string{"amendment"}, i.kinds(t, "zte"))

	position := i.Position(v, "")
	agreement := look(i, v, func(v *projections.View) projections.Agreement { a, _ := v.Agreement(agreementID); return a })
	h.do("nokia", domain.CommentMilestone{Ref: ref("b"), Text: "among ourselves"})
	h.do("nokia", domain.RejectAmendment{ID: agreementID, Number: 1, Reason: "no"})
	h.do("nokia", domain.ProposeAmendment{ID: agreementID, Title: "Newer", Changes: domain.AmendmentChanges{Terms: domain.TermsChange{AcceptanceDays: new(20)}}})
	i.caughtUp(t)
	require.Equal(t, position, i.Position(v, ""))
	require.Equal(t, agreement, look(i, v, func(v *projections.View) projections.Agreement { a, _ := v.Agreement(agreementID); return a }))

	h.do("zte", domain.SignAmendment{ID: agreementID, Number: 2})
	h.do("xiaomi", domain.CommentMilestone{Ref: ref("b"), Text: "among ourselves"})
	h.do("zte", domain.ProposeAmendment{ID: agreementID, Title: "Ours", Changes: domain.AmendmentChanges{Terms: domain.TermsChange{AcceptanceDays: new(30)}}})
	events := i.feed(t, "zte")
	require.Equal(t, []string{"agreement.party_invited", "amendment.signed", "agreement.amended", "amendment.proposed"}, types(events))
	for n, e := range events {
		require.Equal(t, fmt.Sprintf("1.%s.%d", agreementID, n+1), e.Position, "dense")
	}
	require.Equal(t, []int{2, 4}, look(i, v, func(v *projections.View) (numbers []int) {
		for _, x := range v.Amendments(agreementID) {
			numbers = append(numbers, x.Number)
		}
		return numbers
	}))
	require.Empty(t, look(i, v, func(v *projections.View) []projections.Project { return v.Projects(agreementID) }))
}

// What came to nothing is gone for who was invited; another invitation goes on where it was.
func TestAnInvitationThatComesToNothing(t *testing.T) {
	h, i := portfolio(t)
	h.do("", domain.CreatePartner{ID: "zte", Profile: domain.PartnerProfile{Name: "ZTE", Country: "CN", TimeZone: "Asia/Shanghai"}})
	h.invite(1)
	i.caughtUp(t)
	before := i.Position(partner("zte"), "")
	gone := i.Changed(partner("zte"))
	h.do("xiaomi", domain.RejectAmendment{ID: agreementID, Number: 1, Reason: "on second thoughts"})
	<-gone
	i.caughtUp(t)
	require.NotEqual(t, before, i.Position(partner("zte"), ""))
	_, ok, err := i.AgreementEvents(context.Background(), partner("zte"), agreementID, "", 1000)
	require.False(t, ok)
	require.NoError(t, err)
	require.Empty(t, i.inbox(t, "zte"))
	require.Empty(t, look(i, partner("zte"), (*projections.View).Agreements))

	h.do("nokia", domain.CommentMilestone{Ref: ref("b"), Text: "among ourselves"})
	h.invite(2)
	events := i.feed(t, "zte")
	require.Equal(t, []string{"agreement.party_invited", "amendment.rejected", "agreement.party_invited"}, types(events))
	require.Equal(t, "1."+agreementID+".3", events[2].Position)
}

// R17: who joins a project finds its milestones as they are, and their history from then on. What it may
// know of them is the same after a replay, and from a snapshot.
func TestWhoJoinsAProjectSeesItAsItIs(t *testing.T) {
	h, i := portfolio(t)
	h.do("", domain.CreatePartner{ID: "zte", Profile: domain.PartnerProfile{Name: "ZTE", Country: "CN", TimeZone: "Asia/Shanghai"}})
	h.invite(1)
	h.do("zte", domain.SignAmendment{ID: agreementID, Number: 1})
	v := partner("zte")
	three := []domain.PartnerID{"nokia", "xiaomi", "zte"}
	h.do("nokia", domain.EditProject{Ref: ref("b").ProjectRef(), Participants: &three})
	require.Contains(t, i.kinds(t, "xiaomi"), "stage")
	seen := func(v *projections.View) []domain.MilestoneID {
		list, _, _ := v.Milestones(projections.MilestoneQuery{Limit: 200})
		return ids(list)
	}
	require.Empty(t, look(i, v, seen))
	quiet := i.Changed(v)
	h.do("xiaomi", domain.EditProject{Ref: ref("b").ProjectRef(), Participants: &three})
	joined := h.clock.Now()
	<-quiet
	i.caughtUp(t)
	require.Equal(t, []domain.MilestoneID{"late", "theirs", "a", "b"}, look(i, v, seen), "what is private is not among them")
	m := i.milestone(t, "zte")
	require.Zero(t, m.Version)
	require.Equal(t, joined, m.UpdatedAt, "not when it last changed before")
	events := i.feed(t, "zte")
	require.Equal(t, "project.participants_added", events[len(events)-1].Type)

	h.do("nokia", domain.CommentMilestone{Ref: ref("b"), Text: "welcome"})
	h.do("nokia", domain.CommentMilestone{Ref: ref("a"), Text: "in private", Private: true})
	require.EqualValues(t, 1, i.milestone(t, "zte").Version)
	again := h.follow(t, h.config())
	require.Equal(t, dump(t, i.Image, v), dump(t, again.Image, v))
}

// R3, R4: who has withdrawn sees the agreement as it was then, whatever the others agree later, and of
// that it is not told; the projects that it takes part in it goes on to see.
func TestWhoHasLeftSeesWhatWasSoThen(t *testing.T) {
	h, i := portfolio(t)
	h.do("", domain.CreatePartner{ID: "zte", Profile: domain.PartnerProfile{Name: "ZTE", Country: "CN", TimeZone: "Asia/Shanghai"}})
	h.invite(1)
	h.do("zte", domain.SignAmendment{ID: agreementID, Number: 1})
	v := partner("zte")
	agreement := func(v *projections.View) projections.Agreement { a, _ := v.Agreement(agreementID); return a }
	h.do("zte", domain.TerminateAgreement{ID: agreementID, Mode: domain.ByNotice, Reason: "new strategy", EffectiveOn: 20170705})
	require.Contains(t, i.kinds(t, "nokia"), "notice")
	require.Equal(t, domain.AgreementActive, look(i, v, agreement).State)
	h.clock.advance(24 * time.Hour)
	require.NotContains(t, i.kinds(t, "nokia"), "notice")
	left := look(i, v, agreement)
	require.Equal(t, domain.AgreementEnded, left.State)
	position := i.Position(v, "")

	h.do("nokia", domain.ProposeAmendment{ID: agreementID, Title: "Two of us", Changes: domain.AmendmentChanges{
		Terms:          domain.TermsChange{Title: new("Two of us")},
		AddInstruments: []domain.Instrument{{ID: "i", Kind: domain.Exploration, Title: "More", EffectiveOn: 20170705, Disclosure: domain.Undisclosed}},
	}})
	h.do("nokia", domain.SignAmendment{ID: agreementID, Number: 2})
	h.do("xiaomi", domain.SignAmendment{ID: agreementID, Number: 2})
	h.do("nokia", domain.TerminateAgreement{ID: agreementID, Mode: domain.Mutual, EffectiveOn: 20171231})
	i.caughtUp(t)
	require.Equal(t, position, i.Position(v, ""))
	require.Equal(t, left, look(i, v, agreement))
	require.Len(t, look(i, v, func(v *projections.View) []projections.Amendment { return v.Amendments(agreementID) }), 1)
	require.Empty(t, look(i, v, func(v *projections.View) []projections.Instrument { return v.Instruments(agreementID) }))
	for _, e := range i.feed(t, "zte") {
		require.NotContains(t, e.Sentence, "Two of us")
	}
	require.Equal(t, "Two of us", look(i, partner("nokia"), agreement).Title)
	require.Contains(t, i.kinds(t, "xiaomi"), "stage", "a call of the end")
	again := h.follow(t, h.config())
	for _, p := range []domain.PartnerID{"nokia", "xiaomi", "zte"} {
		require.Equal(t, dump(t, i.Image, partner(p)), dump(t, again.Image, partner(p)))
	}
}
