package projections_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// unreadable returns commits that a read model must not skip.
func unreadable(h *fixture) map[string]*eventlog.Commit {
	build := func(stream domain.Stream, stored, data string) *eventlog.Commit {
		commit := h.commit(managerOf("nokia"), stream, h.clock.Now())
		commit.Events = []eventlog.Event{{Type: stored, Subject: "fp4", Audience: "shared", Data: []byte(data)}}
		return commit
	}
	project := domain.Stream{Agreement: agreementID, Project: projectID}
	strange := build(project, "milestone.started.v1", "{}")
	strange.Stream = "galaxy/far/away"
	elsewhere := build(project, "milestone.started.v1", "{}")
	elsewhere.Stream = "agreement/of-another-partition"
	return map[string]*eventlog.Commit{
		"unknown type":      build(project, "milestone.teleported.v1", "{}"),
		"not JSON":          build(project, "milestone.started.v1", "{"),
		"unknown stream":    strange,
		"another partition": elsewhere,
	}
}

func TestUnreadableEventHalts(t *testing.T) {
	for name := range unreadable(newFixture(t)) {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.settle()
			h.plan("fp4", domain.NewDate(2018, 3, 30))
			live := h.follow(t, h.config())
			bad := unreadable(h)[name]
			h.append(bad)
			err := live.WaitHead(context.Background(), bad.Partition, bad.Seq)
			require.ErrorIs(t, err, projections.ErrHalted)
			require.ErrorContains(t, err, "commit 6")
			require.ErrorContains(t, live.Health(), "commit 6")
			require.ErrorContains(t, live.stop(), "partition")
			require.EqualValues(t, 5, live.Head(bad.Partition).Seq, "the commits before it are applied")

			replayed := start(t, h.config())
			require.ErrorContains(t, replayed.Health(), "commit 6")
			require.False(t, closed(replayed.Live()))
			require.Error(t, replayed.stop())
		})
	}
}

func TestHealthAfterRunEnds(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	require.NoError(t, model.Health())
	require.NoError(t, model.stop())
	require.ErrorIs(t, model.Health(), projections.ErrHalted)
	require.ErrorIs(t, model.WaitHead(context.Background(), 0, 99), projections.ErrHalted)
}

func TestErrorOfTheLogHalts(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	require.NoError(t, h.log.Close())
	<-halted(model)
	require.ErrorIs(t, model.Health(), eventlog.ErrStopped)
	require.ErrorIs(t, model.stop(), eventlog.ErrStopped)
}

// halted returns a channel that is closed when the read model halts.
func halted(model *runningModel) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		_ = model.WaitHead(context.Background(), 0, 1<<40)
		close(done)
	}()
	return done
}

func TestConfigRequiresFields(t *testing.T) {
	_, err := projections.New(projections.Config{})
	require.ErrorContains(t, err, "Config.Log")
	require.ErrorContains(t, err, "Config.Now")
	require.ErrorContains(t, err, "Config.Logger")
}
