package projections_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
	"tandem/projections/sentences"
)

func TestMilestoneFromPlanToAcceptance(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	h.do("nokia", domain.StartMilestone{MilestoneRef: milestoneRef("fp4")})
	h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("fp4"), On: domain.NewDate(2018, 4, 15)})
	h.do("xiaomi", domain.MoveForecast{MilestoneRef: milestoneRef("fp4"), On: domain.NewDate(2018, 5, 1)})
	h.do("nokia", domain.DeliverMilestone{MilestoneRef: milestoneRef("fp4")})
	model.caughtUp(t)

	require.NoError(t, model.View(viewerOf("xiaomi"), func(view *projections.View) error {
		m, ok := view.Milestone(milestoneRef("fp4"))
		require.True(t, ok)
		require.Equal(t, domain.Delivered, m.State)
		require.True(t, m.Disagreement)
		require.Equal(t, "pending", m.Acceptance.Decisions["xiaomi"].State)
		require.EqualValues(t, 5, m.Version)
		inbox := view.Inbox(sentences.English)
		require.Len(t, inbox, 1)
		require.Equal(t, "acceptance", inbox[0].Kind)
		require.Equal(t, 1, view.Status().AwaitingMyDecision)
		return nil
	}))
	events, ok, err := model.history(context.Background(), viewerOf("xiaomi"), milestoneRef("fp4"), "", 50)
	require.NoError(t, err)
	require.True(t, ok)
	require.Len(t, events.Events, 5)
	require.Equal(t, "1.nokia-xiaomi-2017.8", events.Events[2].Position)
	require.Equal(t, "Nokia forecast “Title of fp4” for 15 April 2018", events.Events[2].Sentence)
	page, err := model.Page(viewerOf("xiaomi"), "milestones", func(view *projections.View) (projections.Answer, error) {
		list, next, err := view.Milestones(projections.MilestoneQuery{Limit: 50})
		return projections.Answer{Version: view.Version(), Body: api.Milestones{Partner: "xiaomi", Milestones: list, NextCursor: next}}, err
	})
	require.NoError(t, err)
	t.Log(string(page.Body), page.ETag, page.Position)
	require.NoError(t, model.stop())
}
