package projections_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

func TestWaitPosition(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	ctx := context.Background()
	viewer := viewerOf("xiaomi")
	require.NoError(t, model.WaitPosition(ctx, viewer, model.Position(viewer, "")))
	require.NoError(t, model.WaitPosition(ctx, viewer, model.Position(viewer, agreementID)))
	require.NoError(t, model.WaitPosition(ctx, viewer, "1.@xiaomi.1"))
	require.NoError(t, model.WaitPosition(ctx, viewer, "1.@nokia.1"))
	require.NoError(t, model.WaitPosition(ctx, projections.Viewer{Operator: true}, model.Position(projections.Viewer{Operator: true}, "")))

	waited := make(chan error, 1)
	go func() { waited <- model.WaitPosition(ctx, viewer, "1."+agreementID+".6") }()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	require.NoError(t, <-waited)
	require.Equal(t, "1."+agreementID+".6", model.Position(viewer, agreementID))
}

func TestWaitPositionOfAnInvisibleRoot(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, position := range []string{"1." + agreementID + ".1", "1.no-such-agreement.1", "1.@nokia.1", "1.@nobody.0"} {
		require.ErrorIs(t, model.WaitPosition(ctx, viewerOf("sony"), position), context.Canceled)
	}
}

func TestMalformedPositions(t *testing.T) {
	h := newFixture(t)
	model := h.follow(t, h.config())
	for _, text := range []string{"", "1", "1.a", "1.a.", "1.a.x", "1.a.-1", "0.a.1", "01.a.1", "18446744073709551616.a.1", "1.A.1", "1..1", "1.a.1.2", "s1.", "s1.!", "s1.AgE", "s1.AQUBYQE", "s1.AA", "s1.AAFhAQE", "s1.AAFhAQA", "latest"} {
		require.ErrorIs(t, model.WaitPosition(context.Background(), viewerOf("nokia"), text), projections.ErrPosition, text)
	}
}

func TestWaitHeadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFixture(t)
		model, err := projections.New(h.config())
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, model.WaitHead(ctx, 3, 1), context.DeadlineExceeded)
		require.True(t, model.Empty())
	})
}

func TestStateOfOnePartition(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	h.issue("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Token: "ci"}, Role: domain.Viewer})
	h.do("nokia", domain.AddMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: "anna"}, Role: domain.Viewer})
	model := h.follow(t, h.config())
	home := eventlog.PartitionOf(domain.Stream{Partner: "nokia"}.Root())
	own, other := model.State(home), model.State(home+1)
	require.Equal(t, h.state.Partner("nokia"), own.Partner("nokia"))
	require.Equal(t, h.state.Token(domain.TokenRef{Partner: "nokia", Token: "ci"}), own.Token(domain.TokenRef{Partner: "nokia", Token: "ci"}))
	require.Equal(t, h.state.Member(domain.MemberRef{Partner: "nokia", Member: "anna"}), own.Member(domain.MemberRef{Partner: "nokia", Member: "anna"}))
	require.Nil(t, own.Agreement(agreementID))
	require.Nil(t, own.Member(domain.MemberRef{Partner: "nokia", Member: "bob"}))
	require.Nil(t, other.Partner("nokia"))

	home = eventlog.PartitionOf(domain.Stream{Agreement: agreementID}.Root())
	own, other = model.State(home), model.State(home+1)
	require.Equal(t, h.state.Agreement(agreementID), own.Agreement(agreementID))
	require.Equal(t, h.state.Project(milestoneRef("fp4").ProjectRef()), own.Project(milestoneRef("fp4").ProjectRef()))
	require.Equal(t, h.state.Milestone(milestoneRef("fp4")), own.Milestone(milestoneRef("fp4")))
	require.Nil(t, own.Milestone(milestoneRef("fp5")))
	require.Nil(t, other.Milestone(milestoneRef("fp4")))
	require.False(t, model.Empty())
}
