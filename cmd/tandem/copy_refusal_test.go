package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
	"tandem/eventlog/sqlite"
)

// TestCopyUsage: mistakes of whoever started it are all told at once, and nothing is opened.
func TestCopyUsage(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct{ from, to, says string }{
		{"", "", "--from is missing: want sqlite:DIR or a Redis URL"},
		{"", "", "--to is missing"},
		{"sqlite:", "redis://h", "--from sqlite:: the directory is missing"},
		{"./data", "redis://h", "--from: want sqlite:DIR or a Redis URL"},
		{"sqlite:" + dir, "http://h", "--to: want sqlite:DIR or a Redis URL"},
		{"sqlite:" + dir, "sqlite:" + dir + "/../" + filepath.Base(dir), "the same directory"},
	} {
		_, err := copyLog(t.Context(), tc.from, tc.to)
		require.ErrorContains(t, err, tc.says)
		_, usage := errors.AsType[*usageError](err)
		require.True(t, usage, "%v", err)
	}
	t.Setenv("TANDEM_TO", "sqlite:"+dir)
	_, err := copyLog(t.Context(), "", "redis://h")
	require.ErrorContains(t, err, "--from is missing", "a flag counts more than the environment")
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, files)
}

// TestCopyRefusesSources: what a copy would leave behind, or what is no log, is not copied.
func TestCopyRefusesSources(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target")
	server := redistest.Start(t)
	for _, tc := range []struct {
		name string
		make func(t *testing.T) (from string)
		says string
	}{
		{"no log", func(t *testing.T) string { return "sqlite:" + t.TempDir() }, "has no log"},
		{"empty", func(t *testing.T) string {
			dir := t.TempDir()
			require.NoError(t, openSQLite(t, dir).Close())
			return "sqlite:" + dir
		}, "there is nothing to copy"},
		{"locked", func(t *testing.T) string {
			dir := sourceDir(t, 62)
			openSQLite(t, dir)
			return "sqlite:" + dir
		}, "in use by another process"},
		{"open loss", func(t *testing.T) string {
			dir := sourceDir(t, 62)
			log := openSQLite(t, dir)
			require.NoError(t, log.ReportLoss(t.Context(), eventlog.LostTailError{Partition: 5, Known: eventlog.Head{Seq: 9}, Stored: eventlog.Head{Seq: 1}}))
			require.NoError(t, log.Close())
			return "sqlite:" + dir
		}, "partition 5 lost commits 2 to 9: they were seen before and are gone. Restore them, or give them up with tandem log accept-loss 5"},
		{"half a copy", func(t *testing.T) string {
			dir := sourceDir(t, 62)
			log := openSQLite(t, dir)
			marked(t, log, "sqlite:/elsewhere")
			require.NoError(t, log.Close())
			return "sqlite:" + dir
		}, "unfinished copy of sqlite:/elsewhere"},
		{"waiting commands", func(t *testing.T) string {
			log := openRedis(t, server.URL())
			fill(t, log, 62)
			for range 2 {
				require.NoError(t, log.Send(t.Context(), eventlog.Topic(9), eventlog.Message{ID: "m", Payload: []byte("x")}))
			}
			require.NoError(t, log.Close())
			return server.URL()
		}, "2 commands wait in its inbox and would be left behind: start a node, which decides them"},
		{"key gone", func(t *testing.T) string {
			dir := sourceDir(t, 62)
			require.NoError(t, os.Remove(filepath.Join(dir, keyFile)))
			return "sqlite:" + dir
		}, "is gone: restore it, or give it as TANDEM_KEY"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := copyLog(t.Context(), tc.make(t), "sqlite:"+target)
			require.ErrorContains(t, err, tc.says)
			require.NoDirExists(t, target)
		})
	}
}

// TestCopyRefusesTargets: a target that holds anything but the beginning of this copy stays as it is.
func TestCopyRefusesTargets(t *testing.T) {
	source := "sqlite:" + sourceDir(t, 62*3)
	for _, tc := range []struct {
		name string
		make func(t *testing.T, log eventlog.Log)
		says string
	}{
		{"another history", func(t *testing.T, log eventlog.Log) { fill(t, log, 62*2) }, "has a history of its own of 124 commits: name an empty log"},
		{"the same history", func(t *testing.T, log eventlog.Log) { fill(t, log, 62*3) }, "there is nothing to do"},
		{"a value", func(t *testing.T, log eventlog.Log) {
			put(t, log, eventlog.Batch{Partition: 9, Puts: []eventlog.KV{{Key: "k", Value: []byte("v")}}})
		}, "partition 9 has no commits, but values"},
		{"a record", func(t *testing.T, log eventlog.Log) {
			put(t, log, eventlog.Batch{Partition: 9, Receipts: []eventlog.Receipt{{Command: eventlog.CommandID{1}, At: time.Now()}}})
		}, "is used"},
		{"an accepted loss", func(t *testing.T, log eventlog.Log) { acceptLosses(t, log, 3, 1) }, "is used"},
		{"a copy of another log", func(t *testing.T, log eventlog.Log) { marked(t, log, "redis://elsewhere") }, "is an unfinished copy of redis://elsewhere"},
		{"a copy with more commits", func(t *testing.T, log eventlog.Log) {
			fill(t, log, 62*4)
			marked(t, log, source)
		}, "it is no copy of it"},
		{"a copy with other commits", func(t *testing.T, log eventlog.Log) {
			other := madeCommit(1, eventlog.Head{}, true)
			put(t, log, eventlog.Batch{Partition: 1, Commits: []eventlog.Commit{other}})
			marked(t, log, source)
		}, "has another commit 1 in partition 1"},
		{"a copy with more accepted losses", func(t *testing.T, log eventlog.Log) {
			marked(t, log, source)
			acceptLosses(t, log, 3, 1)
		}, "has accepted more losses in partition 3"},
	} {
		for kind, target := range map[string]string{"sqlite": "sqlite:" + t.TempDir(), "redis": redistest.Start(t).URL()} {
			t.Run(tc.name+" in "+kind, func(t *testing.T) {
				open := func() eventlog.Log {
					if kind == "redis" {
						return openRedis(t, target)
					}
					return openSQLite(t, target[len("sqlite:"):])
				}
				log := open()
				tc.make(t, log)
				before := contents(t, log)
				require.NoError(t, log.Close())
				_, err := copyLog(t.Context(), source, target)
				require.ErrorContains(t, err, tc.says)
				require.Equal(t, before, contents(t, open()))
			})
		}
	}
}

// TestCopyRefusesALockedTarget: another process has the file open.
func TestCopyRefusesALockedTarget(t *testing.T) {
	dir, target := sourceDir(t, 62), t.TempDir()
	log := openSQLite(t, target)
	_, err := copyLog(t.Context(), "sqlite:"+dir, "sqlite:"+target)
	require.ErrorIs(t, err, eventlog.ErrInUse)
	heads, err := log.Heads(t.Context())
	require.NoError(t, err)
	require.Zero(t, heads)
}

// TestCopyRefusesTheSameServer under two names.
func TestCopyRefusesTheSameServer(t *testing.T) {
	server := redistest.Start(t)
	log := openRedis(t, server.URL())
	fill(t, log, 62)
	require.NoError(t, log.Close())
	_, err := copyLog(t.Context(), server.URL(), server.URL()+"/0")
	require.ErrorContains(t, err, "the same log")
}

// TestCopyIsAlone: a node that is there before the copy is named and not disturbed; one that comes in
// the middle ends the copy, and the next run finishes it.
func TestCopyIsAlone(t *testing.T) {
	empty, full := redistest.Start(t).URL(), redistest.Start(t).URL()
	dir, target := sourceDir(t, 62*3), t.TempDir()
	require.NoError(t, copied(copyLog(t.Context(), "sqlite:"+dir, full)))
	for _, ends := range [][2]string{{full, "sqlite:" + target}, {"sqlite:" + dir, empty}} {
		place := strings.TrimPrefix(strings.Join(ends[:], ""), "sqlite:"+dir)
		place = strings.TrimSuffix(place, "sqlite:"+target)
		node := openRedis(t, place)
		lease, err := node.Own(t.Context(), 1)
		require.NoError(t, err)
		status, err := node.Status(t.Context())
		require.NoError(t, err)
		require.Len(t, status.Nodes, 1)
		err = copied(copyLog(t.Context(), ends[0], ends[1]))
		require.ErrorContains(t, err, place+" is used by "+status.Nodes[0]+": stop every node first")
		select {
		case <-lease.Lost():
			require.Fail(t, "the node lost its partition")
		default:
		}
		require.NoError(t, node.Close())
	}
	require.NoFileExists(t, filepath.Join(target, sqlite.FileName))

	copier := newCopy(t, full, "sqlite:"+target)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	require.NoError(t, copier.openSource(ctx, cancel))
	require.NoError(t, copier.openTarget(ctx, cancel))
	late := openRedis(t, full)
	go func() { _, _ = late.Own(t.Context(), 1) }() // gets it when the copy gives it up
	<-ctx.Done()
	err := copier.ended(ctx, copier.transfer(ctx, cancel))
	require.ErrorContains(t, err, "is used by")
	require.ErrorContains(t, err, "the same command goes on with it")
	require.NoError(t, errors.Join(copier.to.close(), copier.from.close(), late.Close()))

	require.NoError(t, copied(copyLog(t.Context(), full, "sqlite:"+target)))
	require.Equal(t, contentsOf(t, dir), contentsOf(t, target))
}

func copied(_ string, err error) error { return err }
