package logcopy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

// TestRunRefusesSource: a source with content that the copy would leave behind is refused, and the target is not opened.
func TestRunRefusesSource(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T) (source string)
		want    string
	}{
		{"empty", func(t *testing.T) string { return closed(t, newMemory()) }, "is empty: there are no commits to copy"},
		{"locked", func(t *testing.T) string {
			dir := t.TempDir()
			open(t, dir)
			return dir
		}, "in use by another process"},
		{"with an open loss", func(t *testing.T) string {
			source := newSource(t, 62)
			log := open(t, source)
			loss := eventlog.LostTailError{Partition: 5, Known: eventlog.Head{Seq: 9}, Stored: eventlog.Head{Seq: 1}}
			require.NoError(t, log.ReportLoss(t.Context(), loss))
			require.NoError(t, log.Close())
			return source
		}, "restore them, or give them up with tandem log accept-loss 5"},
		{"unfinished copy", func(t *testing.T) string {
			source := newSource(t, 62)
			log := open(t, source)
			putMarker(t, log, "sqlite:/elsewhere")
			require.NoError(t, log.Close())
			return source
		}, "unfinished copy of sqlite:/elsewhere"},
		{"with waiting commands", func(t *testing.T) string {
			server := redistest.Start(t)
			log := open(t, server.URL())
			eventlogtest.Fill(t, log, 62)
			for range 2 {
				require.NoError(t, log.Send(t.Context(), eventlog.Topic(9), eventlog.Message{ID: "m", Payload: []byte("x")}))
			}
			require.NoError(t, log.Close())
			return server.URL()
		}, "2 commands wait in the command queue"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target := filepath.Join(t.TempDir(), "target")
			_, err := run(t, test.prepare(t), target)
			require.ErrorContains(t, err, test.want)
			require.NoDirExists(t, target)
		})
	}
}

// closed creates an empty log.
func closed(t *testing.T, name string) string {
	require.NoError(t, open(t, name).Close())
	return name
}

// TestRunRefusesTarget: a target that holds anything but the beginning of this copy is refused and stays unchanged.
func TestRunRefusesTarget(t *testing.T) {
	source := newSource(t, 62*3)
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, log eventlog.Log)
		want    string
	}{
		{"another history", func(t *testing.T, log eventlog.Log) { eventlogtest.Fill(t, log, 62*2) }, "has a history of its own of 124 commits: name an empty log"},
		{"the same history", func(t *testing.T, log eventlog.Log) { eventlogtest.Fill(t, log, 62*3) }, "there is nothing to do"},
		{"a value", func(t *testing.T, log eventlog.Log) {
			put(t, log, eventlog.Batch{Partition: 9, Puts: []eventlog.KV{{Key: "k", Value: []byte("v")}}})
		}, "partition 9 has no commits, but values"},
		{"a receipt", func(t *testing.T, log eventlog.Log) {
			put(t, log, eventlog.Batch{Partition: 9, Receipts: []eventlog.Receipt{{Command: eventlog.CommandID{1}, At: time.Now()}}})
		}, "is used"},
		{"an accepted loss", func(t *testing.T, log eventlog.Log) { eventlogtest.RaiseEpoch(t, log, 3, 1) }, "is used"},
		{"a copy of another log", func(t *testing.T, log eventlog.Log) { putMarker(t, log, "redis://elsewhere") }, "is an unfinished copy of redis://elsewhere"},
		{"a copy with more commits", func(t *testing.T, log eventlog.Log) {
			eventlogtest.Fill(t, log, 62*4)
			putMarker(t, log, source)
		}, "it is no copy of it"},
		{"a copy with other commits", func(t *testing.T, log eventlog.Log) {
			other := eventlogtest.SampleCommit(1, eventlog.Head{}, true)
			put(t, log, eventlog.Batch{Partition: 1, Commits: []eventlog.Commit{other}})
			putMarker(t, log, source)
		}, "has another commit 1 in partition 1"},
		{"a copy with more accepted losses", func(t *testing.T, log eventlog.Log) {
			putMarker(t, log, source)
			eventlogtest.RaiseEpoch(t, log, 3, 1)
		}, "has accepted more losses in partition 3"},
	} {
		kinds := map[string]func(*testing.T) string{"memory": func(*testing.T) string { return newMemory() }}
		if eventlogtest.Rounds(0, 1) > 0 {
			kinds["sqlite"] = func(t *testing.T) string { return t.TempDir() }
			kinds["redis"] = func(t *testing.T) string { return redistest.Start(t).URL() }
		}
		for kind, place := range kinds {
			t.Run(test.name+" in "+kind, func(t *testing.T) {
				target := place(t)
				log := open(t, target)
				test.prepare(t, log)
				before := contents(t, log)
				require.NoError(t, log.Close())
				_, err := run(t, source, target)
				require.ErrorContains(t, err, test.want)
				require.NotErrorIs(t, err, ErrUnfinished)
				require.Equal(t, before, contents(t, open(t, target)))
			})
		}
	}
}

// TestRunRefusesLockedTarget: another process has the target open.
func TestRunRefusesLockedTarget(t *testing.T) {
	t.Parallel()
	source, target := newSource(t, 62), t.TempDir()
	log := open(t, target)
	_, err := run(t, source, target)
	require.ErrorIs(t, err, eventlog.ErrInUse)
	heads, err := log.Heads(t.Context())
	require.NoError(t, err)
	require.Zero(t, heads)
}

// TestRunRefusesSameServer: source and target are one server under two URLs.
func TestRunRefusesSameServer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	log := open(t, server.URL())
	eventlogtest.Fill(t, log, 62)
	require.NoError(t, log.Close())
	_, err := run(t, server.URL(), server.URL()+"/0")
	require.ErrorContains(t, err, "source and target are the same log")
}

// TestChecksComeBeforeWrites: errors of the caller's checks end the copy before anything is written.
func TestChecksComeBeforeWrites(t *testing.T) {
	t.Parallel()
	source, target := newSource(t, 62), filepath.Join(t.TempDir(), "target")
	wrong := errors.New("another installation")
	check := func(context.Context, eventlog.Log) error { return wrong }
	_, err := Run(t.Context(), Config{Source: endAt(source), Target: endAt(target), CheckSource: check})
	require.ErrorIs(t, err, wrong)
	require.NoDirExists(t, target)
	_, err = Run(t.Context(), Config{Source: endAt(source), Target: endAt(target), CheckTarget: check})
	require.ErrorIs(t, err, wrong)
	require.NotErrorIs(t, err, ErrUnfinished)
	require.NoError(t, os.RemoveAll(target))
	_, err = Run(t.Context(), Config{Source: endAt(source), Target: endAt(target), BeforeFinish: func() error { return wrong }})
	require.ErrorIs(t, err, wrong)
	require.ErrorIs(t, err, ErrUnfinished)
}

// TestRunNeedsExclusiveUse: a node that runs before the copy is named and not disturbed. A node that starts during the
// copy ends it, and the next run finishes it.
func TestRunNeedsExclusiveUse(t *testing.T) {
	t.Parallel()
	empty, full := redistest.Start(t).URL(), redistest.Start(t).URL()
	source, target := newSource(t, 62*3), t.TempDir()
	_, err := run(t, source, full)
	require.NoError(t, err)
	for shared, ends := range map[string][2]string{full: {full, target}, empty: {source, empty}} {
		requireRefusedBesideNode(t, shared, ends[0], ends[1])
	}
	require.NoFileExists(t, filepath.Join(target, "tandem.db"))

	c := newCopier(Config{Source: endAt(full), Target: endAt(target)})
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	require.NoError(t, c.openSource(ctx, cancel))
	require.NoError(t, c.openTarget(ctx, cancel))
	late := open(t, full)
	go func() { _, _ = late.Own(t.Context(), 1) }() // it gets its share of the copy's partitions
	<-ctx.Done()
	err = c.endReason(ctx, c.transfer(ctx, cancel))
	require.ErrorContains(t, err, "is used by")
	require.ErrorIs(t, err, ErrUnfinished)
	require.NoError(t, errors.Join(c.target.close(), c.source.close(), late.Close()))

	_, err = run(t, full, target)
	require.NoError(t, err)
	require.Equal(t, contentsOf(t, source), contentsOf(t, target))
}

func requireRefusedBesideNode(t *testing.T, shared, source, target string) {
	t.Helper()
	node := open(t, shared)
	lease, err := node.Own(t.Context(), 1)
	require.NoError(t, err)
	status, err := node.Status(t.Context())
	require.NoError(t, err)
	require.Len(t, status.Nodes, 1)
	_, err = run(t, source, target)
	require.ErrorContains(t, err, shared+" is used by "+status.Nodes[0]+": stop every node first")
	select {
	case <-lease.Lost():
		require.Fail(t, "the node lost its partition")
	default:
	}
	require.NoError(t, node.Close())
}
