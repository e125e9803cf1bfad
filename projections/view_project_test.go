package projections_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

// TestMilestonesOfAnEndedProject: in a history from before dispositions, a project can have ended with open
// milestones. They can no longer happen and are counted nowhere.
func TestMilestonesOfAnEndedProject(t *testing.T) {
	h := newFixture(t)
	model := h.follow(t, h.config())
	h.settle()
	h.plan("open", 20170704)
	h.plan("done", 20170704)
	h.do("nokia", domain.PlanMilestone{MilestoneRef: milestoneRef("secret"), Private: true, Plan: domain.Plan{Title: "Secret", Owner: "nokia", DueOn: 20170704}})
	h.do("nokia", domain.StartMilestone{MilestoneRef: milestoneRef("done")})
	h.do("nokia", domain.DeliverMilestone{MilestoneRef: milestoneRef("done")})
	model.caughtUp(t)
	require.Equal(t, 2, statusOf(t, model, "nokia").Overdue)
	require.Equal(t, 1, statusOf(t, model, "xiaomi").Overdue)

	h.store(managerOf("nokia"), domain.Stream{Agreement: agreementID, Project: projectID}, h.clock.advance(time.Second), []domain.Event{{
		Audience: domain.Shared, Payload: domain.StageChanged{Move: domain.MoveStop, To: domain.Stopped, From: domain.Committed, Reason: "no market"},
	}})
	model.caughtUp(t)
	for _, partner := range []domain.PartnerID{"nokia", "xiaomi"} {
		status := statusOf(t, model, partner)
		require.Zero(t, status.Overdue)
		require.Nil(t, status.NextDue)
		require.Zero(t, status.Counts.State[domain.Planned])
		require.Equal(t, 1, status.Counts.State[domain.Delivered], "it can still be decided")
	}
	require.NoError(t, model.View(viewerOf("nokia"), func(view *projections.View) error {
		overdue := true
		list, _, err := view.Milestones(projections.MilestoneQuery{Overdue: &overdue, Limit: 10})
		require.Empty(t, list)
		for id, ended := range map[domain.MilestoneID]bool{"open": true, "secret": true, "done": false} {
			milestone, _ := view.Milestone(milestoneRef(id))
			require.Equal(t, ended, milestone.Ended, id)
			require.False(t, milestone.Overdue)
		}
		return err
	}))
}

func statusOf(t *testing.T, model *runningModel, partner domain.PartnerID) (status api.Status) {
	t.Helper()
	require.NoError(t, model.View(viewerOf(partner), func(view *projections.View) error {
		status = view.Status()
		return nil
	}))
	return status
}
