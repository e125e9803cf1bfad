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

// filesWith returns how many files of a server hold the text.
func filesWith(t *testing.T, s *redistest.Server, text string) (n int) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(s.Backup(), func(path string, d os.DirEntry, err error) error {
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
func (o *owner) put(kv eventlog.KV) {
	o.t.Helper()
	b := o.batch(1)
	b.Puts = []eventlog.KV{kv}
	require.NoError(o.t, o.log.Append(o.t.Context(), b))
	o.head = end(&b)
}

// erasing puts a value and erases it again.
func erasing(t *testing.T, l *Log) {
	t.Helper()
	o := own(t, l, 3)
	o.put(eventlog.KV{Key: "profile/a", Value: []byte(unmistakable)})
	o.put(eventlog.KV{Key: "profile/a", Erase: true})
}

// TestErase: the server's file holds what was put, and after the erasure it does not.
func TestErase(t *testing.T) {
	t.Parallel()
	s, said := redistest.Start(t), newLines()
	l := open(t, Config{URL: s.URL(), Logger: said.logger()})
	o := own(t, l, 3)
	o.put(eventlog.KV{Key: "profile/a", Value: []byte(unmistakable)})
	require.Positive(t, filesWith(t, s, unmistakable))
	o.put(eventlog.KV{Key: "profile/a", Erase: true})
	said.await(t, "what was erased has left the server's file too")
	require.Zero(t, filesWith(t, s, unmistakable))
	require.Empty(t, s.Client().Get(t.Context(), erasureKey).Val())
}

// TestEraseRefused: a server that refuses to write its file anew is no fault of the log. A node with
// the right to it does what is left to do when it starts.
func TestEraseRefused(t *testing.T) {
	t.Parallel()
	s, said := redistest.Start(t), newLines()
	require.NoError(t, s.Client().ACLSetUser(t.Context(), "tandem", strings.Fields("on >secret "+leastRights+" +config|get")...).Err())
	l := open(t, Config{URL: "redis://tandem:secret@" + s.Addr(), Logger: said.logger()})
	erasing(t, l)
	said.await(t, "allow BGREWRITEAOF to this user")
	require.NoError(t, l.Health())
	require.NoError(t, l.Close())
	require.Positive(t, filesWith(t, s, unmistakable))

	require.NoError(t, s.Client().ACLSetUser(t.Context(), "tandem", "+bgrewriteaof").Err())
	open(t, Config{URL: "redis://tandem:secret@" + s.Addr(), Logger: said.logger()})
	said.await(t, "what was erased has left the server's file too")
	require.Zero(t, filesWith(t, s, unmistakable))
}

// TestEraseOnACluster: every server writes its file anew.
func TestEraseOnACluster(t *testing.T) {
	t.Parallel()
	c, said := redistest.StartCluster(t, 3), newLines()
	l := open(t, Config{URL: c.URL(), Logger: said.logger()})
	erasing(t, l)
	said.await(t, "what was erased has left the server's file too")
	for _, s := range c.Servers {
		require.Zero(t, filesWith(t, s, unmistakable))
	}
}
