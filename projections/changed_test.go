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

func TestChangedWakesOnlyThoseWhoSeeTheChange(t *testing.T) {
	h := newHouse(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	i := h.follow(t, h.config())
	xiaomi, nokia, operator := i.Changed(partner("xiaomi")), i.Changed(partner("nokia")), i.Changed(projections.Viewer{Operator: true})
	scoped := i.Changed(projections.Viewer{Partner: "xiaomi", Scope: "another"})
	h.do("nokia", domain.CommentMilestone{Ref: ref("fp4"), Text: "a private thought", Private: true})
	i.caughtUp(t)
	<-nokia
	require.False(t, closed(xiaomi))
	h.do("nokia", domain.CommentMilestone{Ref: ref("fp4"), Text: "aloud"})
	i.caughtUp(t)
	<-xiaomi
	require.False(t, closed(scoped), "outside of the token's agreements")
	require.False(t, closed(operator), "the operator sees no agreement")
	h.do("xiaomi", domain.AddMember{Partner: "xiaomi", Member: "li", Role: domain.Viewer})
	i.caughtUp(t)
	<-operator
	<-scoped
}

func TestAppliedComesAfterTheChangeCanBeRead(t *testing.T) {
	h := newHouse(t)
	h.settle()
	cfg := h.config()
	seen := make(chan domain.MilestoneState, 64)
	var i *projections.Image
	cfg.Applied = func(entries []eventlog.Entry) {
		_ = i.View(partner("xiaomi"), func(v *projections.View) error {
			if m, ok := v.Milestone(ref("fp4")); ok {
				seen <- m.State
			}
			return nil
		})
	}
	i, err := projections.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- i.Run(ctx) }()
	<-i.Live()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	require.Equal(t, domain.Planned, <-seen)
	h.do("nokia", domain.StartMilestone{Ref: ref("fp4")})
	require.Equal(t, domain.InProgress, <-seen)
	cancel()
	require.NoError(t, <-ended)
}
