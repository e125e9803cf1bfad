package projections_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

// trial returns an agreement with ten working days for acceptance and a milestone b that nokia has delivered.
func trial(t *testing.T) (*fixture, *runningModel) {
	h, model := portfolio(t)
	h.do("nokia", domain.DeliverMilestone{MilestoneRef: milestoneRef("b")})
	return h, model
}

func (i *runningModel) acceptance(t *testing.T, partner domain.PartnerID) (domain.MilestoneState, api.Acceptance) {
	i.caughtUp(t)
	m := viewed(i, viewerOf(partner), func(view *projections.View) api.Milestone {
		m, _ := view.Milestone(milestoneRef("b"))
		return m
	})
	return m.State, m.Acceptance
}

// kinds returns the kinds of the items in a partner's inbox, oldest first.
func (i *runningModel) kinds(t *testing.T, partner domain.PartnerID) (kinds []string) {
	for _, item := range i.inbox(t, partner) {
		kinds = append(kinds, item.Kind)
	}
	return kinds
}

func (i *runningModel) inbox(t *testing.T, partner domain.PartnerID) []api.InboxItem {
	i.caughtUp(t)
	return viewed(i, viewerOf(partner), inboxOf)
}

func TestConditionsAreShownUntilTheNextRound(t *testing.T) {
	h, model := trial(t)
	h.do("xiaomi", domain.AcceptMilestone{MilestoneRef: milestoneRef("b"), Conditions: []domain.Requirement{
		{Text: "Signed report", DueOn: 20170720}, {Text: "Two spare optics", DueOn: 20170731},
	}})
	asked := h.clock.Now()
	state, a := model.acceptance(t, "nokia")
	require.Equal(t, domain.ConditionallyAccepted, state)
	require.Equal(t, "conditional", a.Decisions["xiaomi"].State)
	require.Equal(t, []api.Condition{
		{Number: 1, Text: "Signed report", DueOn: 20170720, Author: "xiaomi", State: "open", Evidence: []api.Evidence{}},
		{Number: 2, Text: "Two spare optics", DueOn: 20170731, Author: "xiaomi", State: "open", Evidence: []api.Evidence{}},
	}, a.Conditions)

	for partner, reasons := range map[domain.PartnerID][2]string{
		"nokia":  {"Xiaomi accepts once condition 1 is met: Signed report", "Xiaomi accepts once condition 2 is met: Two spare optics"},
		"xiaomi": {"Your condition 1 is open: Signed report", "Your condition 2 is open: Two spare optics"},
	} {
		items := model.inbox(t, partner)
		require.Len(t, items, 2, partner)
		for n, item := range items {
			require.Equal(t, "condition", item.Kind)
			require.Equal(t, n+1, *item.Condition)
			require.Equal(t, a.Conditions[n].DueOn, *item.DecideBy)
			require.Equal(t, reasons[n], item.Reason)
			require.Equal(t, asked, item.Since)
		}
	}

	h.do("xiaomi", domain.CloseCondition{MilestoneRef: milestoneRef("b"), Number: 1})
	_, a = model.acceptance(t, "nokia")
	require.True(t, a.Conditions[0].Closed)
	require.EqualValues(t, 20170705, *a.Conditions[0].ClosedOn)
	require.False(t, a.Conditions[1].Closed)
	require.Equal(t, []string{"condition"}, model.kinds(t, "xiaomi"))
	h.do("xiaomi", domain.RejectMilestone{MilestoneRef: milestoneRef("b"), Reasons: []string{"No spares"}})
	_, a = model.acceptance(t, "nokia")
	require.Empty(t, a.Conditions)
	require.Empty(t, model.kinds(t, "xiaomi"))
	require.Empty(t, model.kinds(t, "nokia"))
}

func TestClosingTheLastConditionAccepts(t *testing.T) {
	h, model := trial(t)
	h.do("xiaomi", domain.AcceptMilestone{MilestoneRef: milestoneRef("b"), Conditions: []domain.Requirement{{Text: "Signed report", DueOn: 20170720}}})
	h.clock.advance(48 * time.Hour)
	commit := h.do("xiaomi", domain.CloseCondition{MilestoneRef: milestoneRef("b"), Number: 1})
	require.Len(t, commit.Events, 2)
	model.caughtUp(t)
	m := viewed(model, viewerOf("nokia"), func(view *projections.View) api.Milestone {
		m, _ := view.Milestone(milestoneRef("b"))
		return m
	})
	require.Equal(t, domain.Accepted, m.State)
	require.EqualValues(t, 20170707, *m.AcceptedOn)
	require.True(t, m.Acceptance.Conditions[0].Closed, "what was asked for stays")
	require.Empty(t, model.kinds(t, "nokia"))
}

// A condition waits for its owner until it is reported, then for its author, and after a refusal for the owner again.
func TestAnswersToAConditionMoveTheInboxItem(t *testing.T) {
	h, model := trial(t)
	ref := milestoneRef("b")
	report := []domain.Evidence{{Title: "Report", URL: "https://files.example/report"}}
	h.do("xiaomi", domain.AcceptMilestone{MilestoneRef: ref, Conditions: []domain.Requirement{{Text: "Signed report", DueOn: 20170720, Evidence: report}}})
	require.True(t, model.inbox(t, "nokia")[0].MustMeet)

	h.do("nokia", domain.MeetCondition{MilestoneRef: ref, Number: 1, Note: "Signed by both", Evidence: report})
	reported := h.clock.Now()
	require.Empty(t, model.kinds(t, "nokia"), "it waits for xiaomi")
	item := model.inbox(t, "xiaomi")[0]
	require.False(t, item.MustMeet)
	require.Equal(t, "Nokia reported your condition 1 as met: Signed report", item.Reason)
	require.Equal(t, reported, item.Since)
	require.EqualValues(t, 20170715, *item.DecideBy)
	_, a := model.acceptance(t, "nokia")
	require.Equal(t, domain.ConditionReported, a.Conditions[0].State)
	require.Len(t, a.Conditions[0].Evidence, 1)
	require.Equal(t, "Signed by both", a.Conditions[0].Report.Note)
	require.Nil(t, a.Conditions[0].Refusal)

	h.do("xiaomi", domain.RefuseCondition{MilestoneRef: ref, Number: 1, Reason: "Page 3 is missing"})
	item = model.inbox(t, "nokia")[0]
	require.True(t, item.MustMeet)
	require.Equal(t, "Xiaomi decided that condition 1 is not met: Page 3 is missing", item.Reason)
	_, a = model.acceptance(t, "nokia")
	require.True(t, a.Conditions[0].Refusal.Disputable)

	h.do("nokia", domain.DisputeMilestone{MilestoneRef: ref, Reason: "There is no page 3", Condition: 1})
	_, a = model.acceptance(t, "nokia")
	require.Equal(t, 1, *a.Dispute.Condition)
	require.False(t, a.Conditions[0].Refusal.Disputable, "it is disputed")
	for _, partner := range []domain.PartnerID{"nokia", "xiaomi"} {
		require.Equal(t, []string{"dispute"}, model.kinds(t, partner))
		require.Contains(t, model.inbox(t, partner)[0].Reason, "Nokia disputes the decision of Xiaomi that condition 1 is not met: There is no page 3")
		h.do(partner, domain.SettleMilestone{MilestoneRef: ref, Settlement: domain.SettledAccepted})
	}
	state, a := model.acceptance(t, "nokia")
	require.Equal(t, domain.Accepted, state)
	require.True(t, a.Conditions[0].Closed)
	require.Empty(t, model.kinds(t, "xiaomi"))
}

// Each partner has its own results of the criteria, with the delivery that it saw.
func TestCriteriaResults(t *testing.T) {
	h, model := trial(t)
	ref := milestoneRef("c")
	h.do("nokia", domain.PlanMilestone{MilestoneRef: ref, Plan: domain.Plan{Title: "C", Owner: "nokia", DueOn: 20171201, Criteria: []string{"72 h", "Report"}}})
	h.do("nokia", domain.StartMilestone{MilestoneRef: ref})
	h.do("nokia", domain.CheckCriterion{MilestoneRef: ref, Number: 1, Result: domain.CriterionMet})
	h.do("nokia", domain.DeliverMilestone{MilestoneRef: ref})
	h.do("xiaomi", domain.CheckCriterion{MilestoneRef: ref, Number: 1, Result: domain.CriterionNotMet, Note: "41 h only"})
	model.caughtUp(t)
	m := viewed(model, viewerOf("xiaomi"), func(view *projections.View) api.Milestone {
		m, _ := view.Milestone(ref)
		return m
	})
	require.Equal(t, []api.CriterionResults{
		{Number: 1, Text: "72 h", Results: map[domain.PartnerID]api.CheckOutcome{
			"nokia":  {Result: domain.CriterionMet, On: 20170705, Evidence: []api.Evidence{}},
			"xiaomi": {Result: domain.CriterionNotMet, On: 20170705, Round: 1, Note: "41 h only", Evidence: []api.Evidence{}},
		}},
		{Number: 2, Text: "Report", Results: map[domain.PartnerID]api.CheckOutcome{}},
	}, m.CriteriaResults)
}

func TestDisputeIsShownUntilItsSettlement(t *testing.T) {
	h, model := trial(t)
	accepted, rejected := domain.SettledAccepted, domain.SettledRejected
	h.do("xiaomi", domain.RejectMilestone{MilestoneRef: milestoneRef("b"), Reasons: []string{"41 h only"}})
	state, a := model.acceptance(t, "xiaomi")
	require.Equal(t, domain.InProgress, state)
	by := domain.NewDate(2017, 7, 15)
	require.Equal(t, &api.Rejection{
		Partner: "xiaomi", On: 20170705, Reasons: []string{"41 h only"}, Evidence: []api.Evidence{}, Disputable: true, DisputeBy: &by,
	}, a.Rejection)
	require.Nil(t, a.Dispute)

	h.do("nokia", domain.DisputeMilestone{MilestoneRef: milestoneRef("b"), Reason: "The generator failed"})
	disputed := h.clock.Now()
	state, a = model.acceptance(t, "xiaomi")
	require.Equal(t, domain.Disputed, state)
	require.False(t, a.Rejection.Disputable)
	require.Equal(t, &api.Dispute{
		By: "nokia", On: 20170705, Reason: "The generator failed", Named: map[domain.PartnerID]*domain.Settlement{"nokia": nil, "xiaomi": nil},
	}, a.Dispute)
	require.Equal(t, []string{"dispute"}, model.kinds(t, "xiaomi"))
	require.Equal(t, []string{"dispute"}, model.kinds(t, "nokia"))

	h.do("nokia", domain.SettleMilestone{MilestoneRef: milestoneRef("b"), Settlement: accepted})
	_, a = model.acceptance(t, "xiaomi")
	require.Equal(t, map[domain.PartnerID]*domain.Settlement{"nokia": &accepted, "xiaomi": nil}, a.Dispute.Named)
	require.Empty(t, model.kinds(t, "nokia"), "it waits for xiaomi")
	item := model.inbox(t, "xiaomi")[0]
	require.Equal(t, disputed, item.Since)
	require.Equal(t, "Nokia disputes the rejection of delivery 1 by Xiaomi: The generator failed (Nokia proposes acceptance)", item.Reason)

	h.do("xiaomi", domain.SettleMilestone{MilestoneRef: milestoneRef("b"), Settlement: rejected})
	require.Equal(t, []string{"dispute"}, model.kinds(t, "nokia"), "xiaomi has named another outcome")
	require.Equal(t, []string{"dispute"}, model.kinds(t, "xiaomi"), "and may still give in")
	h.do("nokia", domain.SettleMilestone{MilestoneRef: milestoneRef("b"), Settlement: rejected})
	state, a = model.acceptance(t, "xiaomi")
	require.Equal(t, domain.InProgress, state)
	require.Nil(t, a.Dispute)
	require.Equal(t, "rejected", a.Decisions["xiaomi"].State)
	require.False(t, a.Rejection.Disputable, "it has been settled")
	require.Empty(t, model.kinds(t, "xiaomi"))

	h.do("nokia", domain.DeliverMilestone{MilestoneRef: milestoneRef("b")})
	_, a = model.acceptance(t, "xiaomi")
	require.Nil(t, a.Rejection)
}

// TestDisputePeriodEnds: the page changes after the last day of the period, in UTC.
func TestDisputePeriodEnds(t *testing.T) {
	h, model := trial(t)
	h.do("xiaomi", domain.RejectMilestone{MilestoneRef: milestoneRef("b"), Reasons: []string{"41 h only"}})
	disputable := func() bool {
		_, a := model.acceptance(t, "nokia")
		return a.Rejection.Disputable
	}
	h.clock.set(time.Date(2017, 7, 15, 23, 59, 59, 0, time.UTC))
	require.True(t, disputable())
	h.clock.set(time.Date(2017, 7, 16, 0, 0, 0, 0, time.UTC))
	require.False(t, disputable())
}
