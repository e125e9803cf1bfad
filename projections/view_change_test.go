package projections_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

func (i *runningModel) change(t *testing.T, partner domain.PartnerID, number int) api.Change {
	i.caughtUp(t)
	return viewed(i, viewerOf(partner), func(view *projections.View) api.Change {
		at := milestoneRef("b")
		c, ok := view.Change(at.Agreement, at.Project, number)
		require.True(t, ok)
		return c
	})
}

func (i *runningModel) milestone(t *testing.T, partner domain.PartnerID) api.Milestone {
	i.caughtUp(t)
	return viewed(i, viewerOf(partner), func(view *projections.View) api.Milestone {
		m, _ := view.Milestone(milestoneRef("b"))
		return m
	})
}

func TestBaselineIsShownOnceAgreed(t *testing.T) {
	h, model := portfolio(t)
	before := model.milestone(t, "xiaomi")
	require.Nil(t, before.BaselineOn)
	require.Nil(t, before.VarianceDays)
	waiting := len(model.inbox(t, "xiaomi"))

	to := before.DueOn.AddDays(7)
	h.do("nokia", domain.ProposeChange{ProjectRef: milestoneRef("b").ProjectRef(), Reason: "our plan", Milestones: []domain.WantedChange{
		{Milestone: "b", To: domain.ChangeFields{DueOn: to}},
	}})
	proposed := h.clock.Now()
	c := model.change(t, "xiaomi", 1)
	require.Equal(t, domain.ChangeStateOpen, c.State)
	require.Equal(t, map[domain.PartnerID]string{"nokia": "approved", "xiaomi": "pending"}, c.Approvals)
	require.Equal(t, before.DueOn, *c.Milestones[0].From.DueOn)
	require.Equal(t, to, *c.Milestones[0].To.DueOn)
	require.Nil(t, c.DecidedAt)

	items := model.inbox(t, "xiaomi")
	require.Len(t, items, waiting+1)
	item := items[len(items)-1]
	require.Equal(t, "change", item.Kind)
	require.Equal(t, 1, *item.Change)
	require.EqualValues(t, "b", *item.Milestone)
	require.Equal(t, "Nokia proposed change 1: our plan", item.Reason)
	require.Equal(t, proposed, item.Since)
	require.Equal(t, c.URL, item.URL)
	require.NotContains(t, model.kinds(t, "nokia"), "change", "proposing approves")

	h.do("xiaomi", domain.ApproveChange{ChangeRef: domain.ChangeRef{ProjectRef: milestoneRef("b").ProjectRef(), Number: 1}})
	h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("b"), On: to.AddDays(3), Reason: "optics late"})
	m := model.milestone(t, "xiaomi")
	require.Equal(t, to, *m.BaselineOn)
	require.Equal(t, to, m.DueOn)
	require.Equal(t, 3, *m.VarianceDays)
	c = model.change(t, "nokia", 1)
	require.Equal(t, domain.ChangeStateApproved, c.State)
	require.NotNil(t, c.DecidedAt)
	require.Len(t, model.inbox(t, "xiaomi"), waiting)
}

func TestClosedChangeShowsItsReason(t *testing.T) {
	h, model := portfolio(t)
	propose := func() {
		h.do("nokia", domain.ProposeChange{ProjectRef: milestoneRef("b").ProjectRef(), Reason: "our plan", Milestones: []domain.WantedChange{{Milestone: "b"}}})
	}
	propose()
	h.do("xiaomi", domain.RejectChange{ChangeRef: domain.ChangeRef{ProjectRef: milestoneRef("b").ProjectRef(), Number: 1}, Reason: "too late"})
	c := model.change(t, "nokia", 1)
	require.Equal(t, &api.ChangeRejection{Partner: "xiaomi", Reason: "too late"}, c.Rejection)
	require.Equal(t, map[domain.PartnerID]string{"nokia": "approved", "xiaomi": "rejected"}, c.Approvals)

	propose()
	day := domain.Date(20171224)
	h.do("nokia", domain.EditMilestone{MilestoneRef: milestoneRef("b"), DueOn: &day})
	c = model.change(t, "nokia", 2)
	require.Equal(t, domain.ChangeStateVoid, c.State)
	require.EqualValues(t, "b", c.Void.Milestone)
	require.Equal(t, "due_on", c.Void.Field)
	require.Equal(t, "none", c.Approvals["xiaomi"])
	require.NotContains(t, model.kinds(t, "xiaomi"), "change")
}
