package projections_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func TestChangedWakesOnlyReadersOfTheChange(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	model := h.follow(t, h.config())
	xiaomi, nokia, operator := model.Changed(viewerOf("xiaomi")), model.Changed(viewerOf("nokia")), model.Changed(projections.Viewer{Operator: true})
	scoped := model.Changed(projections.Viewer{Partner: "xiaomi", Scope: "another"})
	h.do("nokia", domain.CommentMilestone{MilestoneRef: milestoneRef("fp4"), Text: "a private comment", Private: true})
	model.caughtUp(t)
	<-nokia
	require.False(t, closed(xiaomi))
	h.do("nokia", domain.CommentMilestone{MilestoneRef: milestoneRef("fp4"), Text: "a shared comment"})
	model.caughtUp(t)
	<-xiaomi
	require.False(t, closed(scoped), "outside of the token's agreements")
	require.False(t, closed(operator), "the operator sees no agreement")
	h.do("xiaomi", domain.AddMember{MemberRef: domain.MemberRef{Partner: "xiaomi", Member: "li"}, Role: domain.Viewer})
	model.caughtUp(t)
	<-operator
	<-scoped
}

func TestAppliedComesAfterTheChangeCanBeRead(t *testing.T) {
	h := newFixture(t)
	h.settle()
	cfg := h.config()
	seen := make(chan domain.MilestoneState, 64)
	var model *projections.ReadModel
	cfg.Applied = func(entries []eventlog.Entry) {
		_ = model.View(viewerOf("xiaomi"), func(view *projections.View) error {
			if m, ok := view.Milestone(milestoneRef("fp4")); ok {
				seen <- m.State
			}
			return nil
		})
	}
	model, err := projections.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- model.Run(ctx) }()
	<-model.Live()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	require.Equal(t, domain.Planned, <-seen)
	h.do("nokia", domain.StartMilestone{MilestoneRef: milestoneRef("fp4")})
	require.Equal(t, domain.InProgress, <-seen)
	cancel()
	require.NoError(t, <-ended)
}
