package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis"
	"tandem/eventlog/redis/redistest"
	"tandem/eventlog/sqlite"
)

// copyLog runs tandem log copy in this process and returns what it printed.
func copyLog(ctx context.Context, from, to string, more ...string) (stdout string, err error) {
	var out bytes.Buffer
	cmd := copyCommand(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetErr(io.Discard)
	cmd.SetArgs(append([]string{"--from", from, "--to", to}, more...))
	err = cmd.ExecuteContext(ctx)
	return out.String(), err
}

func openSQLite(t testing.TB, dir string) eventlog.Log {
	t.Helper()
	log, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func openRedis(t testing.TB, url string) *redis.Log {
	t.Helper()
	log, err := redis.Open(t.Context(), redis.Config{URL: url})
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close() })
	return log
}

// sourceDir is a data directory with a key and an embedded log of so many commits, and some of
// everything else that a log holds.
func sourceDir(t testing.TB, commits int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, writeSecret(filepath.Join(dir, keyFile), strings.Repeat("5c", keySize)+"\n"))
	require.NoError(t, writeSecret(filepath.Join(dir, operatorFile), strings.Repeat("0f", sha256.Size)+"\n"))
	log := openSQLite(t, dir)
	acceptLosses(t, log, 0, 1)
	acceptLosses(t, log, 7, 3)
	fill(t, log, commits)
	require.NoError(t, log.Close())
	return dir
}

func acceptLosses(t testing.TB, log eventlog.Log, partition eventlog.Partition, n int) {
	t.Helper()
	for range n {
		require.NoError(t, log.ReportLoss(t.Context(), eventlog.LostTailError{Partition: partition, Known: eventlog.Head{Seq: 1}}))
		require.NoError(t, log.AcceptLoss(t.Context(), partition))
	}
}

// fill appends commits and what belongs to them. Partition 3 stays without commits, partition 4 is
// empty, and one commit is larger than a batch of a copy.
func fill(t testing.TB, log eventlog.Log, commits int) {
	t.Helper()
	share := commits / (eventlog.Partitions - 2)
	for partition := range eventlog.Partition(eventlog.Partitions) {
		lease, err := log.Own(t.Context(), partition)
		require.NoError(t, err)
		batch := eventlog.Batch{Partition: partition, Fence: lease.Fence()}
		if partition != 4 {
			batch.Puts = []eventlog.KV{{Key: "member/mei", Value: []byte("Mei")}, {Key: "none", Value: []byte{}}, {Key: "other/\x00", Value: []byte{0, 255}}}
			batch.DeadLetters = []eventlog.DeadLetter{
				{ID: "one", Payload: []byte("{"), Reason: "it ends early", At: at(1)}, {ID: "one", Payload: []byte{}, Reason: "again", At: at(2)},
			}
		}
		head := eventlog.Head{}
		for left := share; left > 0 && partition != 3 && partition != 4; {
			n := min(left, 500)
			batch.Head = head
			for range n {
				large := partition == 5 && head.Seq == uint64(share/2)
				commit := madeCommit(partition, head, large)
				batch.Commits, head = append(batch.Commits, commit), commit.Head()
				batch.Receipts = append(batch.Receipts, madeRecord(&commit)...)
			}
			left -= n
			require.NoError(t, log.Append(t.Context(), batch))
			batch = eventlog.Batch{Partition: partition, Fence: lease.Fence()}
		}
		batch.Head = head
		require.NoError(t, log.Append(t.Context(), batch))
		require.NoError(t, lease.Release(t.Context()))
	}
}

func at(second int) time.Time { return time.Date(2026, 3, 1, 9, 30, second, 123456000, time.UTC) }

// madeCommit returns a commit like those of the product, of some 700 bytes.
func madeCommit(partition eventlog.Partition, head eventlog.Head, large bool) eventlog.Commit {
	text := strings.Repeat("完成 ", 30)
	if large {
		text = strings.Repeat("large ", batchBytes/4)
	}
	commit := eventlog.Commit{
		Partition: partition, Stream: fmt.Sprintf("project/agreement-%d/ip-routing-fp4", partition), Version: head.Seq + 1,
		Command: eventlog.CommandID{byte(partition), byte(head.Seq), byte(head.Seq >> 8), byte(head.Seq >> 16)}, Request: eventlog.Fingerprint{1, byte(partition)},
		Actor: "mei", Partner: "xiaomi", RecordedAt: at(0).Add(time.Duration(head.Seq) * time.Second),
		Events: []eventlog.Event{
			{Type: "milestone.delivered.v1", Subject: "m1", Audience: "shared", Data: fmt.Appendf(nil, `{"milestone":"m%d"}`, head.Seq), Salt: [16]byte{byte(partition), 1}},
			{Type: "milestone.commented.v1", Audience: "private:xiaomi", Data: fmt.Appendf(nil, `{"text":%q}`, text), Salt: [16]byte{byte(partition), 2}},
		},
	}
	commit.Seal(head)
	return commit
}

// madeRecord returns the record of every third command, and of a rejected one before it. Some are too
// old to count.
func madeRecord(commit *eventlog.Commit) []eventlog.Receipt {
	if commit.Seq%3 != 0 {
		return nil
	}
	then := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Duration(commit.Seq%90) * time.Hour / 2)
	return []eventlog.Receipt{
		{Command: eventlog.CommandID{255, byte(commit.Seq)}, Request: commit.Request, Rejection: []byte(`{"code":"not_owner"}`), At: then},
		{Command: commit.Command, Request: commit.Request, Seq: commit.Seq, At: then},
	}
}

// part is all that counts of a partition.
type part struct {
	Head    eventlog.Head
	Epoch   uint64
	Frames  [][]byte
	Values  []eventlog.KV
	Letters []eventlog.DeadLetter
	Records []eventlog.Receipt
}

// contents reads all that a log holds. Records count from an hour after they are due to be forgotten, so
// that none gets too old during the test.
func contents(t testing.TB, log eventlog.Log) (all [eventlog.Partitions]part) {
	t.Helper()
	losses, err := log.Losses(t.Context())
	require.NoError(t, err)
	require.Empty(t, losses.Open)
	for i := range all {
		partition, of := eventlog.Partition(i), &all[i]
		of.Epoch = losses.Epochs[partition]
		of.Head, err = log.Head(t.Context(), partition)
		require.NoError(t, err)
		seqs := make([]uint64, of.Head.Seq)
		for i := range seqs {
			seqs[i] = uint64(i) + 1
		}
		commits, err := log.Read(t.Context(), partition, seqs)
		require.NoError(t, err)
		for i := range commits {
			of.Frames = append(of.Frames, commits[i].AppendFrame(nil))
		}
		of.Values, err = log.Scan(t.Context(), partition, "")
		require.NoError(t, err)
		of.Letters, err = log.DeadLetters(t.Context(), partition)
		require.NoError(t, err)
		of.Records, err = log.Receipts(t.Context(), partition, time.Now().Add(-recordsSince+time.Hour))
		require.NoError(t, err)
	}
	return all
}

func contentsOf(t testing.TB, dir string) [eventlog.Partitions]part {
	t.Helper()
	log := openSQLite(t, dir)
	defer func() { require.NoError(t, log.Close()) }()
	return contents(t, log)
}

// TestCopyKeepsEverything copies a log with some of everything through every kind of server and back.
func TestCopyKeepsEverything(t *testing.T) {
	dir := sourceDir(t, 62*40)
	want := contentsOf(t, dir)
	require.Equal(t, uint64(3), want[7].Epoch)
	require.NotEmpty(t, want[1].Records)
	single, cluster := redistest.Start(t).URL(), redistest.StartCluster(t, 3).URL()
	first, last := filepath.Join(t.TempDir(), "first"), t.TempDir()
	t.Setenv("TANDEM_KEY", strings.Repeat("5c", keySize)) // it is not in the logs
	for _, step := range [][2]string{
		{"sqlite:" + dir, single},
		{single, cluster},
		{cluster, "sqlite:" + first},
		{"sqlite:" + first, "sqlite:" + last},
	} {
		said, err := copyLog(t.Context(), step[0], step[1])
		require.NoErrorf(t, err, "from %s to %s", step[0], step[1])
		require.Contains(t, said, "chain verified")
		require.Regexp(t, `Commits +2,480\n`, said)
		require.Regexp(t, `Events +4,960\n`, said)
	}
	require.Equal(t, want, contents(t, openRedis(t, single)))
	require.Equal(t, want, contents(t, openRedis(t, cluster)))
	require.Equal(t, want, contentsOf(t, first))
	require.Equal(t, want, contentsOf(t, last))
}

// TestCopyReplicated: the copy waits for the replica, as a node would, and sets the durable mark.
func TestCopyReplicated(t *testing.T) {
	dir := sourceDir(t, 62*10)
	master := redistest.Start(t)
	redistest.StartReplica(t, master, nil)
	back := t.TempDir()
	_, err := copyLog(t.Context(), "sqlite:"+dir, master.URL(), "--redis-durability", "replicated")
	require.NoError(t, err)
	_, err = copyLog(t.Context(), master.URL(), "sqlite:"+back, "--redis-durability", "replicated")
	require.NoError(t, err)
	require.Equal(t, contentsOf(t, dir), contentsOf(t, back))
}

// TestCopyBringsTheKey: where the next node is an embedded one, its secrets are there already; on a
// shared log, a node with another key is refused.
func TestCopyBringsTheKey(t *testing.T) {
	dir, target, shared := sourceDir(t, 62), t.TempDir(), redistest.Start(t).URL()
	said, err := copyLog(t.Context(), "sqlite:"+dir, "sqlite:"+target)
	require.NoError(t, err)
	require.Contains(t, said, "tandem serve --data "+target)
	for _, name := range []string{keyFile, operatorFile} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(target, name))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	}

	said, err = copyLog(t.Context(), "sqlite:"+dir, shared)
	require.NoError(t, err)
	require.Contains(t, said, "tandem serve --redis "+shared+" --data "+dir)
	log := openedLog{shared: openRedis(t, shared)}
	require.ErrorContains(t, log.claim(t.Context(), make([]byte, keySize)), "another key")
	require.NoError(t, log.shared.Close())

	other := t.TempDir()
	require.NoError(t, writeSecret(filepath.Join(other, keyFile), strings.Repeat("00", keySize)))
	_, err = copyLog(t.Context(), "sqlite:"+dir, "sqlite:"+other)
	require.ErrorContains(t, err, "another installation's key")
	_, err = copyLog(t.Context(), shared, "sqlite:"+other)
	require.ErrorContains(t, err, "the key here is not that of "+shared)
	require.NoFileExists(t, filepath.Join(other, sqlite.FileName))

	keyless := filepath.Join(t.TempDir(), "new")
	said, err = copyLog(t.Context(), shared, "sqlite:"+keyless)
	require.NoError(t, err)
	require.Contains(t, said, "bring the installation key")
}

// failing is a log whose appends fail from a certain one on; that one is stored or not.
type failing struct {
	eventlog.Log
	left   atomic.Int64
	stored bool
}

var errCut = errors.New("cut off")

func (f *failing) Append(ctx context.Context, batch eventlog.Batch) error {
	left := f.left.Add(-1)
	if left == 0 && f.stored {
		return errors.Join(f.Log.Append(ctx, batch), errCut)
	}
	if left <= 0 {
		return errCut
	}
	return f.Log.Append(ctx, batch)
}

// newCopy returns a copy that is to be run step by step.
func newCopy(t testing.TB, from, to string) *logCopy {
	t.Helper()
	flags := pflag.NewFlagSet("copy", pflag.ContinueOnError)
	options := bindCopy(flags)
	require.NoError(t, flags.Parse([]string{"--from", from, "--to", to}))
	copier, err := options.load(flags, os.LookupEnv)
	require.NoError(t, err)
	copier.stdout, copier.stderr, copier.logger = io.Discard, io.Discard, slog.New(slog.DiscardHandler)
	return copier
}

// cutCopy runs a copy until its nth append after the mark, and returns how it ended.
func cutCopy(t testing.TB, from, to string, n int64, stored bool) (err error) {
	t.Helper()
	copier := newCopy(t, from, to)
	defer func() { require.NoError(t, errors.Join(copier.to.close(), copier.from.close())) }()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	require.NoError(t, copier.openSource(ctx, cancel))
	require.NoError(t, copier.openTarget(ctx, cancel))
	cut := &failing{Log: copier.to.log.Log, stored: stored}
	cut.left.Store(n)
	copier.to.log.Log = cut
	return errors.Join(copier.transfer(ctx, cancel), copier.verify(ctx, cancel), copier.finish(ctx, cancel))
}

// TestCopyCutAnywhere cuts the copy off after any number of appends. The next run finishes it, with
// nothing lost and nothing doubled, and until then a node refuses the target.
func TestCopyCutAnywhere(t *testing.T) {
	dir := sourceDir(t, 62*3)
	want := contentsOf(t, dir)
	cuts := 0
	for n := int64(1); ; n += 9 {
		target := t.TempDir()
		err := cutCopy(t, "sqlite:"+dir, "sqlite:"+target, n, n%2 == 0)
		if err == nil {
			break
		}
		cuts++
		require.ErrorIs(t, err, errCut)
		log := openSQLite(t, target)
		require.ErrorContains(t, refuseUnfinishedCopy(t.Context(), log), "unfinished copy of sqlite:"+dir)
		require.NoError(t, log.Close())
		said, err := copyLog(t.Context(), "sqlite:"+dir, "sqlite:"+target)
		require.NoErrorf(t, err, "cut after %d appends", n)
		require.Regexp(t, `Commits +186`, said)
		require.Equal(t, want, contentsOf(t, target))
	}
	require.Greater(t, cuts, 10)
}

// TestCopyGoesOnWithEpochs: a copy that ended between the report and the acceptance of a loss goes on.
func TestCopyGoesOnWithEpochs(t *testing.T) {
	dir, target := sourceDir(t, 62), t.TempDir()
	log := openSQLite(t, target)
	marked(t, log, "sqlite:"+dir)
	acceptLosses(t, log, 7, 1)
	for _, partition := range []eventlog.Partition{0, 7} {
		require.NoError(t, log.ReportLoss(t.Context(), eventlog.LostTailError{Partition: partition, Known: eventlog.Head{Seq: 1}}))
	}
	require.NoError(t, log.Close())
	_, err := copyLog(t.Context(), "sqlite:"+dir, "sqlite:"+target)
	require.NoError(t, err)
	require.Equal(t, contentsOf(t, dir), contentsOf(t, target))
}

// TestCopyOfAChangedSource: between two runs the source went on. The copy ends as the source is then.
func TestCopyOfAChangedSource(t *testing.T) {
	dir, target := sourceDir(t, 62*3), t.TempDir()
	require.ErrorIs(t, cutCopy(t, "sqlite:"+dir, "sqlite:"+target, 90, true), errCut)
	log := openSQLite(t, dir)
	for _, partition := range []eventlog.Partition{1, 4} {
		head, err := log.Head(t.Context(), partition)
		require.NoError(t, err)
		commit := madeCommit(partition, head, false)
		put(t, log, eventlog.Batch{
			Partition: partition, Commits: []eventlog.Commit{commit},
			Receipts:    []eventlog.Receipt{{Command: commit.Command, Request: commit.Request, Seq: commit.Seq, At: time.Now().UTC().Truncate(time.Microsecond)}},
			DeadLetters: []eventlog.DeadLetter{{ID: "late", Payload: []byte("x"), Reason: "late", At: at(3)}},
			Puts:        []eventlog.KV{{Key: "member/mei"}, {Key: "member/anna", Value: []byte("Anna")}},
		})
	}
	acceptLosses(t, log, 9, 1)
	require.NoError(t, log.Close())
	_, err := copyLog(t.Context(), "sqlite:"+dir, "sqlite:"+target)
	require.NoError(t, err)
	require.Equal(t, contentsOf(t, dir), contentsOf(t, target))
}

// marked makes a log half a copy.
func marked(t testing.TB, log eventlog.Log, from string) {
	t.Helper()
	put(t, log, eventlog.Batch{Partition: markerPartition, Puts: []eventlog.KV{{Key: markerKey, Value: fmt.Appendf(nil, `{"from":%q}`, from)}}})
}

// put appends to the end of a partition.
func put(t testing.TB, log eventlog.Log, batch eventlog.Batch) {
	t.Helper()
	lease, err := log.Own(t.Context(), batch.Partition)
	require.NoError(t, err)
	batch.Fence = lease.Fence()
	batch.Head, err = log.Head(t.Context(), batch.Partition)
	require.NoError(t, err)
	require.NoError(t, log.Append(t.Context(), batch))
	require.NoError(t, lease.Release(t.Context()))
}
