package projections_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

// invite proposes that zte joins by the amendment with the given number; all present parties sign, zte does
// not.
func (h *fixture) invite(number int) {
	h.do("nokia", domain.ProposeAmendment{AgreementID: agreementID, Title: "ZTE joins", Changes: domain.AmendmentChanges{
		Join: []domain.Joining{{Partner: "zte"}},
	}})
	h.do("xiaomi", domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreementID, Number: number}, Signatory: "Chief executive"})
	h.do("nokia", domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreementID, Number: number}, Signatory: "Chief executive"})
}

func (i *runningModel) feed(t *testing.T, partner domain.PartnerID) []api.Event {
	i.caughtUp(t)
	events, ok, err := i.agreementEvents(context.Background(), viewerOf(partner), agreementID, "", 1000)
	require.True(t, ok)
	require.NoError(t, err)
	return events.Events
}

func types(events []api.Event) (list []string) {
	for _, event := range events {
		list = append(list, event.Type)
	}
	return list
}

// TestFeedOfAJoiningPartnerBeginsWithItsInvitation (R17): the feed is dense from the invitation on, shows no
// earlier event, and does not change by events that the joining partner cannot see.
func TestFeedOfAJoiningPartnerBeginsWithItsInvitation(t *testing.T) {
	h, model := portfolio(t)
	h.do("", domain.CreatePartner{PartnerID: "zte", Profile: domain.PartnerProfile{Name: "ZTE", Country: "CN", TimeZone: "Asia/Shanghai"}})
	h.do("xiaomi", domain.ProposeAmendment{AgreementID: agreementID, Title: "Older", Changes: domain.AmendmentChanges{Terms: domain.TermsChange{AcceptanceDays: new(20)}}})
	model.caughtUp(t)
	viewer := viewerOf("zte")
	quiet := model.Changed(viewer)
	h.do("nokia", domain.ProposeAmendment{AgreementID: agreementID, Title: "ZTE joins", Changes: domain.AmendmentChanges{Join: []domain.Joining{{Partner: "zte"}}}})
	h.do("xiaomi", domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreementID, Number: 2}, Signatory: "Chief executive"})
	model.caughtUp(t)
	select {
	case <-quiet:
		t.Fatal("zte is told of what it may not know")
	default:
	}
	h.do("nokia", domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreementID, Number: 2}, Signatory: "Chief executive"})
	require.Equal(t, []string{"agreement.party_invited"}, types(model.feed(t, "zte")))
	require.Equal(t, []string{"amendment"}, model.kinds(t, "zte"))

	position := model.Position(viewer, "")
	agreement := viewed(model, viewer, func(view *projections.View) api.Agreement { a, _ := view.Agreement(agreementID); return a })
	h.do("nokia", domain.NameContactPersons{AgreementID: agreementID, Members: []domain.MemberID{"anna"}})
	h.do("nokia", domain.CommentMilestone{MilestoneRef: milestoneRef("b"), Text: "among ourselves"})
	h.do("nokia", domain.RejectAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreementID, Number: 1}, Reason: "no"})
	h.do("nokia", domain.ProposeAmendment{AgreementID: agreementID, Title: "Newer", Changes: domain.AmendmentChanges{Terms: domain.TermsChange{AcceptanceDays: new(20)}}})
	model.caughtUp(t)
	require.Equal(t, position, model.Position(viewer, ""))
	require.Equal(t, agreement, viewed(model, viewer, func(view *projections.View) api.Agreement { a, _ := view.Agreement(agreementID); return a }))

	h.do("zte", domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreementID, Number: 2}, Signatory: "Chief executive"})
	h.do("xiaomi", domain.CommentMilestone{MilestoneRef: milestoneRef("b"), Text: "among ourselves"})
	h.do("zte", domain.ProposeAmendment{AgreementID: agreementID, Title: "Ours", Changes: domain.AmendmentChanges{Terms: domain.TermsChange{AcceptanceDays: new(30)}}})
	events := model.feed(t, "zte")
	agreement = viewed(model, viewer, func(view *projections.View) api.Agreement { a, _ := view.Agreement(agreementID); return a })
	require.Equal(t, map[domain.PartnerID][]api.NamedMember{"nokia": {{Member: "anna"}}}, agreement.ContactPersons, "a party sees the present ones")
	require.Equal(t, []string{"agreement.party_invited", "amendment.signed", "agreement.amended", "amendment.proposed"}, types(events))
	for n, event := range events {
		require.Equal(t, fmt.Sprintf("1.%s.%d", agreementID, n+1), event.Position, "dense")
	}
	require.Equal(t, []int{2, 4}, viewed(model, viewer, func(view *projections.View) (numbers []int) {
		for _, x := range view.Amendments(agreementID) {
			numbers = append(numbers, x.Number)
		}
		return numbers
	}))
	require.Empty(t, viewed(model, viewer, func(view *projections.View) []api.Project { return view.Projects(agreementID) }))
}

// TestFailedInvitationIsInvisible: the invited partner no longer sees the agreement. Another invitation
// continues its positions.
func TestFailedInvitationIsInvisible(t *testing.T) {
	h, model := portfolio(t)
	h.do("", domain.CreatePartner{PartnerID: "zte", Profile: domain.PartnerProfile{Name: "ZTE", Country: "CN", TimeZone: "Asia/Shanghai"}})
	h.invite(1)
	model.caughtUp(t)
	before := model.Position(viewerOf("zte"), "")
	gone := model.Changed(viewerOf("zte"))
	h.do("xiaomi", domain.RejectAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreementID, Number: 1}, Reason: "on second thoughts"})
	<-gone
	model.caughtUp(t)
	require.NotEqual(t, before, model.Position(viewerOf("zte"), ""))
	_, ok, err := model.agreementEvents(context.Background(), viewerOf("zte"), agreementID, "", 1000)
	require.False(t, ok)
	require.NoError(t, err)
	require.Empty(t, model.inbox(t, "zte"))
	require.Empty(t, viewed(model, viewerOf("zte"), (*projections.View).Agreements))

	h.do("nokia", domain.CommentMilestone{MilestoneRef: milestoneRef("b"), Text: "among ourselves"})
	h.invite(2)
	events := model.feed(t, "zte")
	require.Equal(t, []string{"agreement.party_invited", "amendment.rejected", "agreement.party_invited"}, types(events))
	require.Equal(t, "1."+agreementID+".3", events[2].Position)
}

// TestJoiningAProjectShowsItsPresentState (R17): a joining participant sees the milestones as they are and
// their history from then on, also after a replay and from a snapshot.
func TestJoiningAProjectShowsItsPresentState(t *testing.T) {
	h, model := portfolio(t)
	h.do("", domain.CreatePartner{PartnerID: "zte", Profile: domain.PartnerProfile{Name: "ZTE", Country: "CN", TimeZone: "Asia/Shanghai"}})
	h.invite(1)
	h.do("zte", domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreementID, Number: 1}, Signatory: "Chief executive"})
	viewer := viewerOf("zte")
	three := []domain.PartnerID{"nokia", "xiaomi", "zte"}
	project := milestoneRef("b").ProjectRef()
	for number := range 2 { // the first request is closed before zte joins, the second stays open
		h.do("nokia", domain.ProposeChange{ProjectRef: project, Reason: "our plan", Milestones: []domain.WantedChange{
			{Milestone: "b", To: domain.ChangeFields{DueOn: domain.NewDate(2017, 9, 1+number)}},
		}})
		if number == 0 {
			h.do("nokia", domain.WithdrawChange{ChangeRef: domain.ChangeRef{ProjectRef: project, Number: 1}})
		}
	}
	h.do("nokia", domain.EditProject{ProjectRef: milestoneRef("b").ProjectRef(), Participants: &three})
	require.Contains(t, model.kinds(t, "xiaomi"), "stage")
	seen := func(view *projections.View) []domain.MilestoneID {
		list, _, _ := view.Milestones(projections.MilestoneQuery{Limit: 200})
		return ids(list)
	}
	require.Empty(t, viewed(model, viewer, seen))
	quiet := model.Changed(viewer)
	h.do("xiaomi", domain.EditProject{ProjectRef: milestoneRef("b").ProjectRef(), Participants: &three})
	joined := h.clock.Now()
	<-quiet
	model.caughtUp(t)
	require.Equal(t, []domain.MilestoneID{"late", "theirs", "a", "b"}, viewed(model, viewer, seen), "what is private is not among them")
	requests := viewed(model, viewer, func(view *projections.View) []api.Change { return view.Changes(project.Agreement, project.Project) })
	require.Len(t, requests, 1)
	require.Equal(t, 2, requests[0].Number, "the request that was open when zte joined")
	m := model.milestone(t, "zte")
	require.Zero(t, m.Version)
	require.Equal(t, joined, m.UpdatedAt, "not when it last changed before")
	events := model.feed(t, "zte")
	require.Equal(t, "project.participants_added", events[len(events)-1].Type)

	h.do("nokia", domain.CommentMilestone{MilestoneRef: milestoneRef("b"), Text: "welcome"})
	h.do("nokia", domain.CommentMilestone{MilestoneRef: milestoneRef("a"), Text: "in private", Private: true})
	require.EqualValues(t, 1, model.milestone(t, "zte").Version)
	again := h.follow(t, h.config())
	require.Equal(t, dump(t, model.ReadModel, viewer), dump(t, again.ReadModel, viewer))
}

// TestWithdrawnPartySeesTheStateAtItsWithdrawal (R3, R4): it sees the agreement as it was, no later event of
// its terms, and still the projects that it takes part in.
func TestWithdrawnPartySeesTheStateAtItsWithdrawal(t *testing.T) {
	h, model := portfolio(t)
	h.do("", domain.CreatePartner{PartnerID: "zte", Profile: domain.PartnerProfile{Name: "ZTE", Country: "CN", TimeZone: "Asia/Shanghai"}})
	h.invite(1)
	h.do("zte", domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreementID, Number: 1}, Signatory: "Chief executive"})
	viewer := viewerOf("zte")
	agreement := func(view *projections.View) api.Agreement { a, _ := view.Agreement(agreementID); return a }
	h.do("zte", domain.TerminateAgreement{AgreementID: agreementID, Mode: domain.ByNotice, Reason: "new strategy", EffectiveOn: 20170705})
	require.Contains(t, model.kinds(t, "nokia"), "notice")
	require.Equal(t, domain.AgreementStateActive, viewed(model, viewer, agreement).State)
	h.clock.advance(24 * time.Hour)
	require.NotContains(t, model.kinds(t, "nokia"), "notice")
	left := viewed(model, viewer, agreement)
	require.Equal(t, domain.AgreementStateTerminated, left.State)
	position := model.Position(viewer, "")

	h.do("nokia", domain.NameContactPersons{AgreementID: agreementID, Members: []domain.MemberID{"anna"}})
	h.do("nokia", domain.ProposeAmendment{AgreementID: agreementID, Title: "Two of us", Changes: domain.AmendmentChanges{
		Terms:          domain.TermsChange{Title: new("Two of us")},
		AddInstruments: []domain.Instrument{{ID: "i", Kind: domain.Exploration, Title: "More", EffectiveOn: 20170705, Disclosure: domain.Undisclosed}},
	}})
	h.do("nokia", domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreementID, Number: 2}, Signatory: "Chief executive"})
	h.do("xiaomi", domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreementID, Number: 2}, Signatory: "Chief executive"})
	h.do("nokia", domain.TerminateAgreement{AgreementID: agreementID, Mode: domain.Mutual, EffectiveOn: 20171231})
	model.caughtUp(t)
	require.Equal(t, position, model.Position(viewer, ""))
	require.Equal(t, left, viewed(model, viewer, agreement))
	require.Len(t, viewed(model, viewer, func(view *projections.View) []api.Amendment { return view.Amendments(agreementID) }), 1)
	require.Empty(t, viewed(model, viewer, func(view *projections.View) []api.Instrument { return view.Instruments(agreementID) }))
	for _, event := range model.feed(t, "zte") {
		require.NotContains(t, event.Sentence, "Two of us")
	}
	require.Equal(t, "Two of us", viewed(model, viewerOf("nokia"), agreement).Title)
	require.Contains(t, model.kinds(t, "xiaomi"), "stage", "a call of the end")
	again := h.follow(t, h.config())
	for _, partner := range []domain.PartnerID{"nokia", "xiaomi", "zte"} {
		require.Equal(t, dump(t, model.ReadModel, viewerOf(partner)), dump(t, again.ReadModel, viewerOf(partner)))
	}
}
