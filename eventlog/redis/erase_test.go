package redis

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/redis/redistest"
)

const unmistakable = "Unmistakable Person"

// filesWith returns the number of files of a server that contain the text.
func filesWith(t *testing.T, server *redistest.Server, text string) (n int) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(server.Backup(), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), text) {
			n++
		}
		return err
	}))
	return n
}

// put appends a commit with a value.
func (o *testOwner) put(kv eventlog.KV) {
	o.t.Helper()
	batch := o.batch(1)
	batch.Puts = []eventlog.KV{kv}
	require.NoError(o.t, o.log.Append(o.t.Context(), batch))
	o.head = headAfter(&batch)
}

// erasing puts a value and erases it.
func erasing(t *testing.T, log *Log) {
	t.Helper()
	owner := own(t, log, 3)
	owner.put(eventlog.KV{Key: "profile/a", Value: []byte(unmistakable)})
	owner.put(eventlog.KV{Key: "profile/a", Erase: true})
}

// TestErase: the server's file contains the value, and after the erasure it does not.
func TestErase(t *testing.T) {
	t.Parallel()
	server, logged := redistest.Start(t), newLogLines()
	log := open(t, Config{URL: server.URL(), Logger: logged.logger()})
	owner := own(t, log, 3)
	owner.put(eventlog.KV{Key: "profile/a", Value: []byte(unmistakable)})
	require.Positive(t, filesWith(t, server, unmistakable))
	owner.put(eventlog.KV{Key: "profile/a", Erase: true})
	logged.await(t, "erased data was removed from the server's file")
	require.Zero(t, filesWith(t, server, unmistakable))
	require.Empty(t, server.Client().Get(t.Context(), erasureKey).Val())
}

// TestEraseRefused: a server that refuses to rewrite its file does not affect the log's health. A node with the
// permission makes it up when it starts.
func TestEraseRefused(t *testing.T) {
	t.Parallel()
	server, logged := redistest.Start(t), newLogLines()
	require.NoError(t, server.Client().ACLSetUser(t.Context(), "tandem", strings.Fields("on >secret "+leastRights+" +config|get")...).Err())
	log := open(t, Config{URL: "redis://tandem:secret@" + server.Addr(), Logger: logged.logger()})
	erasing(t, log)
	logged.await(t, "allow BGREWRITEAOF to this user")
	require.NoError(t, log.Health())
	require.NoError(t, log.Close())
	require.Positive(t, filesWith(t, server, unmistakable))

	require.NoError(t, server.Client().ACLSetUser(t.Context(), "tandem", "+bgrewriteaof").Err())
	open(t, Config{URL: "redis://tandem:secret@" + server.Addr(), Logger: logged.logger()})
	logged.await(t, "erased data was removed from the server's file")
	require.Zero(t, filesWith(t, server, unmistakable))
}

// TestEraseOnACluster: every server rewrites its file.
func TestEraseOnACluster(t *testing.T) {
	t.Parallel()
	cluster, logged := redistest.StartCluster(t, 3), newLogLines()
	log := open(t, Config{URL: cluster.URL(), Logger: logged.logger()})
	erasing(t, log)
	logged.await(t, "erased data was removed from the server's file")
	for _, server := range cluster.Servers {
		require.Zero(t, filesWith(t, server, unmistakable))
	}
}
