package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

const childWriters = 8

// writeUntil appends from several goroutines and prints every acknowledged commit. After 300 of
// them it brings about the fault, and then checks what a stopped log promises.
func writeUntil(dir string, fault func() error) error {
	l, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		return err
	}
	var acknowledged atomic.Int64
	enough := make(chan struct{})
	var writers sync.WaitGroup
	failures := make(chan error, childWriters)
	for p := range eventlog.Partition(childWriters) {
		writers.Go(func() {
			failures <- writeOn(l, p, func(seq uint64) {
				fmt.Printf("ack %d %d\n", p, seq)
				if acknowledged.Add(1) == 300 {
					close(enough)
				}
			})
		})
	}
	<-enough
	if fault != nil {
		if err := fault(); err != nil {
			return err
		}
	}
	writers.Wait()
	close(failures)
	for err := range failures {
		if !errors.Is(err, eventlog.ErrStopped) {
			return fmt.Errorf("an append ended with: %w", err)
		}
		fmt.Println("fault", err)
	}
	return checkStopped(l)
}

// writeOn appends one commit after the other until an append fails.
func writeOn(l *Log, p eventlog.Partition, acknowledged func(seq uint64)) error {
	lease, err := l.Own(context.Background(), p)
	if err != nil {
		return err
	}
	head, err := l.Head(context.Background(), p)
	if err != nil {
		return err
	}
	c := &writerChain{log: l, lease: lease, p: p, head: head, data: []byte(`{"a":"b"}`)}
	for {
		if err := l.Append(context.Background(), keyed(c.batch(1))); err != nil {
			return err
		}
		acknowledged(c.head.Seq)
	}
}

// checkStopped checks that a log with a fault refuses to append, says why, and is read on.
func checkStopped(l *Log) error {
	health := l.Health()
	if !errors.Is(health, eventlog.ErrStopped) {
		return fmt.Errorf("health is %w", health)
	}
	if _, err := l.Own(context.Background(), 40); !errors.Is(err, eventlog.ErrStopped) {
		return fmt.Errorf("own: %w", err)
	}
	if err := l.Append(context.Background(), eventlog.Batch{}); !errors.Is(err, eventlog.ErrStopped) || err.Error() != health.Error() {
		return fmt.Errorf("a later append: %w", err)
	}
	commits, err := followAll(l)
	if err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	for p := range eventlog.Partition(childWriters) {
		head, err := l.Head(context.Background(), p)
		if err != nil || uint64(len(commits[p])) != head.Seq {
			return fmt.Errorf("partition %d: head %d, %d commits followed: %w", p, head.Seq, len(commits[p]), err)
		}
		for _, c := range commits[p] {
			if _, err := l.Read(context.Background(), p, []uint64{c.Seq}); err != nil {
				return err
			}
		}
	}
	return nil
}

// followAll returns every commit that is there now. Follow checks the chains.
func followAll(l *Log) (map[eventlog.Partition][]*eventlog.Commit, error) {
	found := map[eventlog.Partition][]*eventlog.Commit{}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := l.Follow(ctx, eventlog.Positions{}, func(entries []eventlog.Entry) error {
		for _, e := range entries {
			found[e.Partition] = append(found[e.Partition], e.Commit)
		}
		return nil
	}, cancel)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return found, err
}

// child is this test program in another role.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	said   bytes.Buffer // standard output without the acknowledgements
	errors bytes.Buffer
	acked  map[eventlog.Partition]uint64 // the last acknowledged commit of each partition
	ended  chan struct{}
	many   chan struct{} // closed after 300 acknowledged commits
}

func startChild(t *testing.T, role, dir string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(os.Args[0], dir), acked: map[eventlog.Partition]uint64{}, ended: make(chan struct{}), many: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	c.cmd.Stderr = &c.errors
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	go func() {
		defer close(c.ended)
		n := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var p eventlog.Partition
			var seq uint64
			if _, err := fmt.Sscanf(lines.Text(), "ack %d %d", &p, &seq); err != nil {
				c.said.WriteString(lines.Text() + "\n")
				continue
			}
			c.acked[p] = seq
			if n++; n == 300 {
				close(c.many)
			}
		}
	}()
	return c
}

// wait returns all that the child said except for acknowledgements, and whether it succeeded.
func (c *child) wait() (string, error) {
	<-c.ended
	err := c.cmd.Wait()
	return c.said.String() + c.errors.String(), err
}

// kept checks that the log opens, that its chains are whole and that everything acknowledged is
// there, with its record.
func (c *child) kept(dir string) {
	c.t.Helper()
	l := mustOpen(c.t, Config{Dir: dir})
	defer l.Close()
	commits, err := followAll(l)
	require.NoError(c.t, err)
	for p, seq := range c.acked {
		require.GreaterOrEqual(c.t, uint64(len(commits[p])), seq, "partition %d", p)
		records, err := l.Records(c.t.Context(), p, time.Time{})
		require.NoError(c.t, err)
		require.Len(c.t, records, len(commits[p]), "a commit and its record are stored together")
	}
	newWriterChain(c.t, l, 0)
	require.NoError(c.t, l.Health())
}

// TestKilled kills a writing process and finds everything acknowledged in the file.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	for range 5 {
		c := startChild(t, killedRole, dir)
		select {
		case <-c.many:
		case <-c.ended:
		}
		require.NoError(t, c.cmd.Process.Kill())
		out, err := c.wait()
		require.Error(t, err, out)
		require.NotEmpty(t, c.acked, out)
		c.kept(dir)
	}
}
