package logcopy

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis"
	"tandem/eventlog/redis/redistest"
)

// TestRunCopiesEverything copies a log with all kinds of content through every kind of store and back.
func TestRunCopiesEverything(t *testing.T) {
	t.Parallel()
	source := newSource(t, 62*40)
	want := contentsOf(t, source)
	require.Equal(t, uint64(3), want[7].Epoch)
	require.NotEmpty(t, want[1].Receipts)
	single, cluster := redistest.Start(t).URL(), redistest.StartCluster(t, 3).URL()
	first, last := t.TempDir(), t.TempDir()
	for _, step := range [][2]string{{source, first}, {first, single}, {single, cluster}, {cluster, last}} {
		result, err := run(t, step[0], step[1])
		require.NoErrorf(t, err, "from %s to %s", step[0], step[1])
		require.EqualValues(t, 2480, result.Commits)
		require.EqualValues(t, 4960, result.Events)
		require.Zero(t, result.Continued)
		require.NotEmpty(t, result.Source)
		require.NotEmpty(t, result.Target)
		require.Equal(t, want, contentsOf(t, step[1]))
	}
}

// TestRunReportsProgress: each phase ends with all commits.
func TestRunReportsProgress(t *testing.T) {
	t.Parallel()
	source := newSource(t, 62*3)
	reports := make(chan Progress, 1000)
	_, err := Run(t.Context(), Config{Source: endAt(source), Target: endAt(newMemory()), Progress: func(progress Progress) { reports <- progress }})
	require.NoError(t, err)
	close(reports)
	last := map[Phase]Progress{}
	for progress := range reports {
		if progress.Done >= last[progress.Phase].Done {
			last[progress.Phase] = progress
		}
	}
	require.Equal(t, map[Phase]Progress{Copying: {Copying, 186, 186}, Verifying: {Verifying, 186, 186}}, last)
}

// TestRunToReplicatedLog: the copy waits for the replica, as a node does, and moves the durable mark.
func TestRunToReplicatedLog(t *testing.T) {
	t.Parallel()
	source, back := newSource(t, 62*10), newMemory()
	master := redistest.Start(t)
	redistest.StartReplica(t, master, nil)
	_, err := Run(t.Context(), Config{Source: endAt(source), Target: replicatedEnd(master.URL(), redis.Replicated)})
	require.NoError(t, err)
	_, err = Run(t.Context(), Config{Source: replicatedEnd(master.URL(), redis.Replicated), Target: endAt(back)})
	require.NoError(t, err)
	require.Equal(t, contentsOf(t, source), contentsOf(t, back))
}

// TestInterruptedCopyContinues interrupts copies after different numbers of appends. The next run finishes each of them,
// loses and doubles nothing, and until then the target counts as unfinished.
func TestInterruptedCopyContinues(t *testing.T) {
	t.Parallel()
	source := newSource(t, 62*3)
	want := contentsOf(t, source)
	interruptions := 0
	for appends := int64(1); ; appends += 9 {
		target := newMemory()
		err := interrupt(t, source, target, appends, appends%2 == 0)
		if err == nil {
			break
		}
		interruptions++
		require.ErrorIs(t, err, errInterrupted)
		log := open(t, target)
		var unfinished *UnfinishedError
		require.ErrorAs(t, CheckFinished(t.Context(), log), &unfinished)
		require.Equal(t, source, unfinished.Source)
		require.NoError(t, log.Close())
		result, err := run(t, source, target)
		require.NoErrorf(t, err, "interrupted after %d appends", appends)
		require.EqualValues(t, 186, result.Commits)
		require.Equal(t, want, contentsOf(t, target))
	}
	require.Greater(t, interruptions, 10)
}

// TestInterruptedEpochContinues: a copy that ended between the report and the acceptance of a loss continues.
func TestInterruptedEpochContinues(t *testing.T) {
	t.Parallel()
	source, target := newSource(t, 62), newMemory()
	log := open(t, target)
	putMarker(t, log, source)
	eventlogtest.RaiseEpoch(t, log, 7, 1)
	for _, partition := range []eventlog.Partition{0, 7} {
		require.NoError(t, log.ReportLoss(t.Context(), eventlog.LostTailError{Partition: partition, Known: eventlog.Head{Seq: 1}}))
	}
	require.NoError(t, log.Close())
	_, err := run(t, source, target)
	require.NoError(t, err)
	require.Equal(t, contentsOf(t, source), contentsOf(t, target))
}

// TestInterruptedCopyOfAChangedSource: the source changes between two runs. The copy ends with its latest state.
func TestInterruptedCopyOfAChangedSource(t *testing.T) {
	t.Parallel()
	source, target := newSource(t, 62*3), newMemory()
	require.ErrorIs(t, interrupt(t, source, target, 90, true), errInterrupted)
	log := open(t, source)
	for _, partition := range []eventlog.Partition{1, 4} {
		head, err := log.Head(t.Context(), partition)
		require.NoError(t, err)
		commit := eventlogtest.SampleCommit(partition, head, false)
		put(t, log, eventlog.Batch{
			Partition: partition, Commits: []eventlog.Commit{commit},
			Receipts:    []eventlog.Receipt{{Command: commit.Command, Request: commit.Request, Seq: commit.Seq, At: time.Now().UTC().Truncate(time.Microsecond)}},
			DeadLetters: []eventlog.DeadLetter{{ID: "late", Payload: []byte("x"), Reason: "late", At: commit.RecordedAt}},
			Puts:        []eventlog.KV{{Key: "member/mei"}, {Key: "member/anna", Value: []byte("Anna")}},
		})
	}
	eventlogtest.RaiseEpoch(t, log, 9, 1)
	require.NoError(t, log.Close())
	_, err := run(t, source, target)
	require.NoError(t, err)
	require.Equal(t, contentsOf(t, source), contentsOf(t, target))
}

// TestPrintable: names from a log cannot control a terminal.
func TestPrintable(t *testing.T) {
	unfinished := &UnfinishedError{Source: "redis://\x1b[31mhost"}
	require.NotContains(t, unfinished.Error(), "\x1b")
	require.True(t, strings.HasPrefix(unfinished.Error(), "this log is an unfinished copy of redis://·[31mhost"))
}
