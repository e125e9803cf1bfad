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
	"tandem/eventlog/eventlogtest"
)

const childWriters = 8

// writeUntil appends from several goroutines and prints every acknowledged commit. After 300 of them it causes the
// fault and then checks the guarantees of a stopped log.
func writeUntil(dir string, fault func() error) error {
	log, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		return err
	}
	var acknowledged atomic.Int64
	enough := make(chan struct{})
	var writers sync.WaitGroup
	failures := make(chan error, childWriters)
	for partition := range eventlog.Partition(childWriters) {
		writers.Go(func() {
			failures <- writeOn(log, partition, func(seq uint64) {
				fmt.Printf("ack %d %d\n", partition, seq)
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
	return checkStopped(log)
}

// writeOn appends one commit after the other until an append fails.
func writeOn(log *Log, partition eventlog.Partition, acknowledged func(seq uint64)) error {
	lease, err := log.Own(context.Background(), partition)
	if err != nil {
		return err
	}
	head, err := log.Head(context.Background(), partition)
	if err != nil {
		return err
	}
	owner := &testOwner{log: log, lease: lease, partition: partition, head: head, data: []byte(`{"a":"b"}`)}
	for {
		if err := log.Append(context.Background(), keyed(owner.batch(1))); err != nil {
			return err
		}
		acknowledged(owner.head.Seq)
	}
}

// checkStopped checks that a stopped log refuses appends with the reason and can still be read.
func checkStopped(log *Log) error {
	health := log.Health()
	if !errors.Is(health, eventlog.ErrStopped) {
		return fmt.Errorf("health is %w", health)
	}
	if _, err := log.Own(context.Background(), 40); !errors.Is(err, eventlog.ErrStopped) {
		return fmt.Errorf("own: %w", err)
	}
	if err := log.Append(context.Background(), eventlog.Batch{}); !errors.Is(err, eventlog.ErrStopped) || err.Error() != health.Error() {
		return fmt.Errorf("a later append: %w", err)
	}
	commits, err := followAll(log)
	if err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	for partition := range eventlog.Partition(childWriters) {
		head, err := log.Head(context.Background(), partition)
		if err != nil || uint64(len(commits[partition])) != head.Seq {
			return fmt.Errorf("partition %d: head %d, %d commits followed: %w", partition, head.Seq, len(commits[partition]), err)
		}
		for _, commit := range commits[partition] {
			if _, err := log.Read(context.Background(), partition, []uint64{commit.Seq}); err != nil {
				return err
			}
		}
	}
	return nil
}

// followAll returns every stored commit. Follow verifies the chains.
func followAll(log *Log) (map[eventlog.Partition][]*eventlog.Commit, error) {
	found := map[eventlog.Partition][]*eventlog.Commit{}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := log.Follow(ctx, eventlog.Positions{}, func(entries []eventlog.Entry) error {
		for _, entry := range entries {
			found[entry.Partition] = append(found[entry.Partition], entry.Commit)
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
	output bytes.Buffer // standard output without the acknowledgements
	stderr bytes.Buffer
	acked  map[eventlog.Partition]uint64 // last acknowledged commit of each partition
	ended  chan struct{}
	many   chan struct{} // closed after 300 acknowledged commits
}

func startChild(t *testing.T, role, dir string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(os.Args[0], dir), acked: map[eventlog.Partition]uint64{}, ended: make(chan struct{}), many: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	c.cmd.Stderr = &c.stderr
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	go func() {
		defer close(c.ended)
		n := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var partition eventlog.Partition
			var seq uint64
			if _, err := fmt.Sscanf(lines.Text(), "ack %d %d", &partition, &seq); err != nil {
				c.output.WriteString(lines.Text() + "\n")
				continue
			}
			c.acked[partition] = seq
			if n++; n == 300 {
				close(c.many)
			}
		}
	}()
	return c
}

// wait waits for the end of the child and returns its output, without acknowledgements, and its result.
func (c *child) wait() (string, error) {
	<-c.ended
	err := c.cmd.Wait()
	return c.output.String() + c.stderr.String(), err
}

// requireKept checks that the log opens, that its chains are complete, and that it has every acknowledged commit with
// its receipt.
func (c *child) requireKept(dir string) {
	c.t.Helper()
	log := mustOpen(c.t, Config{Dir: dir})
	defer log.Close()
	commits, err := followAll(log)
	require.NoError(c.t, err)
	for partition, seq := range c.acked {
		require.GreaterOrEqual(c.t, uint64(len(commits[partition])), seq, "partition %d", partition)
		receipts, err := log.Receipts(c.t.Context(), partition, time.Time{})
		require.NoError(c.t, err)
		require.Len(c.t, receipts, len(commits[partition]), "a commit and its receipt are stored together")
	}
	newTestOwner(c.t, log, 0)
	require.NoError(c.t, log.Health())
}

// TestKilled kills a writing process. The file has every acknowledged commit.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	for range eventlogtest.Rounds(2, 5) {
		c := startChild(t, killedRole, dir)
		select {
		case <-c.many:
		case <-c.ended:
		}
		require.NoError(t, c.cmd.Process.Kill())
		out, err := c.wait()
		require.Error(t, err, out)
		require.NotEmpty(t, c.acked, out)
		c.requireKept(dir)
	}
}
