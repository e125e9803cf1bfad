package projections_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// unreadable returns commits that no image may pass over.
func unreadable(h *house) map[string]*eventlog.Commit {
	make := func(stream domain.Stream, stored, data string) *eventlog.Commit {
		c := h.commit(as("nokia"), stream, h.clock.Now())
		c.Events = []eventlog.Event{{Type: stored, Subject: "fp4", Audience: "shared", Data: []byte(data)}}
		return c
	}
	project := domain.Stream{Agreement: agreementID, Project: projectID}
	strange := make(project, "milestone.started.v1", "{}")
	strange.Stream = "galaxy/far/away"
	elsewhere := make(project, "milestone.started.v1", "{}")
	elsewhere.Stream = "agreement/of-another-partition"
	return map[string]*eventlog.Commit{
		"unknown type":      make(project, "milestone.teleported.v1", "{}"),
		"not JSON":          make(project, "milestone.started.v1", "{"),
		"unknown stream":    strange,
		"another partition": elsewhere,
	}
}

func TestAnUnreadableEventHaltsLoudly(t *testing.T) {
	for name := range unreadable(newHouse(t)) {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
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
			require.EqualValues(t, 5, live.Head(bad.Partition).Seq, "all before it is applied")

			replayed := start(t, h.config())
			require.ErrorContains(t, replayed.Health(), "commit 6")
			require.False(t, closed(replayed.Live()))
			require.Error(t, replayed.stop())
		})
	}
}

func TestHealthAfterAGracefulEnd(t *testing.T) {
	h := newHouse(t)
	h.settle()
	i := h.follow(t, h.config())
	require.NoError(t, i.Health())
	require.NoError(t, i.stop())
	require.ErrorIs(t, i.Health(), projections.ErrHalted)
	require.ErrorIs(t, i.WaitHead(context.Background(), 0, 99), projections.ErrHalted)
}

func TestTheLogsFaultIsTheImages(t *testing.T) {
	h := newHouse(t)
	h.settle()
	i := h.follow(t, h.config())
	require.NoError(t, h.log.Close())
	<-halted(i)
	require.ErrorIs(t, i.Health(), eventlog.ErrStopped)
	require.ErrorIs(t, i.stop(), eventlog.ErrStopped)
}

// halted is closed when the image follows no longer.
func halted(i *image) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		_ = i.WaitHead(context.Background(), 0, 1<<40)
		close(done)
	}()
	return done
}

func TestConfigNeedsItsParts(t *testing.T) {
	_, err := projections.New(projections.Config{})
	require.ErrorContains(t, err, "Config.Log")
	require.ErrorContains(t, err, "Config.Now")
	require.ErrorContains(t, err, "Config.Logger")
}
