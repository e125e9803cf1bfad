package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

// divergedModel returns a wrong head for one partition while alterHead is set.
type divergedModel struct {
	*testModel
	partition eventlog.Partition
	alterHead func(eventlog.Head) eventlog.Head // guarded by testModel.mu; nil: the right head
	asked     chan struct{}
}

func (m *divergedModel) Head(partition eventlog.Partition) eventlog.Head {
	head := m.testModel.Head(partition)
	m.mu.Lock()
	defer m.mu.Unlock()
	if partition != m.partition || m.alterHead == nil {
		return head
	}
	select {
	case m.asked <- struct{}{}:
	default:
	}
	return m.alterHead(head)
}

func TestOwnerRequiresTheSameHeadInLogAndReadModel(t *testing.T) {
	partition := eventlog.PartitionOf("agreement/a")
	for name, bend := range map[string]func(eventlog.Head) eventlog.Head{
		"the read model is ahead": func(head eventlog.Head) eventlog.Head { head.Seq++; return head },
		"a different commit":      func(head eventlog.Head) eventlog.Head { head.Hash[0]++; return head },
	} {
		t.Run(name, func(t *testing.T) {
			log := eventlogtest.NewMemory()
			node := startNode(t, log)
			node.activateAgreement()
			before := node.commits()
			node.stop()

			var diverged *divergedModel
			node = startNode(t, log, func(cfg *bus.Config) {
				diverged = &divergedModel{testModel: cfg.ReadModel.(*testModel), partition: partition, alterHead: bend, asked: make(chan struct{})}
				cfg.ReadModel, cfg.SharedLog = diverged, true
			})
			done := make(chan error, 1)
			go func() {
				_, err := node.bus.Do(t.Context(), newRequest(nokia, plan("m")))
				done <- err
			}()
			for range 3 { // it restarts repeatedly
				<-diverged.asked
			}
			sent, err := log.Receive(t.Context(), eventlog.Topic(partition), eventlog.Offset{}, 9)
			require.NoError(t, err)
			require.Len(t, sent, 1, "the command is still in the queue")
			require.Equal(t, before, node.commits())
			diverged.mu.Lock()
			diverged.alterHead = nil
			diverged.mu.Unlock()
			require.NoError(t, <-done)
			require.Len(t, node.commits(), len(before)+1)
		})
	}
}

// If any read of a command panics, in the decision or in the fold, the command is refused and the
// commands before and after it are decided. No command is decided on an inconsistent state.
func TestPanicRestartsTheOwner(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	node.activateAgreement()
	partition := eventlog.PartitionOf("agreement/a")
	for spared := 0; ; spared++ {
		id := milestone(spared)
		node.model.setPanic(id, spared)
		result, err := node.bus.Do(t.Context(), newRequest(nokia, plan(id)))
		require.NoError(t, err)
		if result.Rejection == nil {
			break // the command makes no more reads
		}
		require.Equal(t, domain.Internal, result.Rejection.Kind)
		node.do(nokia, plan(id+"-after"))
		node.model.setPanic("", 0)
		node.do(nokia, plan(id))
	}
	require.Greater(t, node.model.forks[partition], 1, "no read of the fold panicked")
	require.Less(t, node.model.forks[partition], 9)
	node.commits()
}

func TestPanicInTheFoldWithCommandsInFlight(t *testing.T) {
	for name, failed := range map[string]bool{"the append succeeds": false, "the append fails": true} {
		t.Run(name, func(t *testing.T) {
			log := eventlogtest.NewMemory()
			node := startNode(t, log)
			node.activateAgreement()
			topic := eventlog.Topic(eventlog.PartitionOf("agreement/a"))
			node.model.setPanic("bad", foldReads(t))
			held := log.Hold()
			answers := make(map[domain.MilestoneID]chan bus.Result)
			at, err := log.Checkpoint(t.Context(), topic)
			require.NoError(t, err)
			for i, id := range []domain.MilestoneID{"first", "second", "bad", "third", "fourth"} {
				answer := make(chan bus.Result, 1)
				answers[id] = answer
				go func() {
					result, err := node.bus.Do(t.Context(), newRequest(nokia, plan(id)))
					if err != nil {
						t.Error(err)
					}
					answer <- result
				}()
				sent, err := log.Receive(t.Context(), topic, at, 1)
				require.NoError(t, err)
				at = sent[0].Offset
				if i == 0 {
					<-held.Arrived()
				}
			}
			if failed {
				log.FailAfter(nil) // not the blocked append
				log.FailBefore(errors.New("the connection broke"))
			}
			held.Release()
			for id, answer := range answers {
				result := <-answer
				require.Equal(t, id == "bad", result.Rejection != nil, id)
			}
			require.Len(t, node.commits(), 4+4)
		})
	}
}

// foldReads returns the number of reads of a new milestone before the fold of its plan.
func foldReads(t *testing.T) int {
	node := startNode(t, eventlogtest.NewMemory())
	defer node.stop()
	node.activateAgreement()
	const many = 1000
	node.model.setPanic("m", many)
	node.do(nokia, plan("m"))
	node.model.mu.Lock()
	defer node.model.mu.Unlock()
	return many - node.model.readsBeforePanic - 1 // one read is by the fold
}

// failingLog is a log that fails one method for one partition.
type failingLog struct {
	*eventlogtest.Memory
	partition eventlog.Partition

	mu            sync.Mutex
	failingMethod string // the method that fails
	tries         int
}

func (l *failingLog) failure(partition eventlog.Partition, method string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if partition != l.partition || method != l.failingMethod {
		return nil
	}
	l.tries++
	return errors.New("the connection broke")
}

func (l *failingLog) setFailing(fault string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failingMethod = fault
}

func (l *failingLog) attempts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tries
}

func (l *failingLog) Own(ctx context.Context, partition eventlog.Partition) (eventlog.Lease, error) {
	if err := l.failure(partition, "Own"); err != nil {
		return nil, err
	}
	return l.Memory.Own(ctx, partition)
}

func (l *failingLog) Head(ctx context.Context, partition eventlog.Partition) (eventlog.Head, error) {
	if err := l.failure(partition, "Head"); err != nil {
		return eventlog.Head{}, err
	}
	return l.Memory.Head(ctx, partition)
}

func (l *failingLog) Append(ctx context.Context, batch eventlog.Batch) error {
	if err := l.failure(batch.Partition, "Append"); err != nil {
		return err
	}
	return l.Memory.Append(ctx, batch)
}

// logBuffer collects log lines.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *logBuffer) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// linesAbout returns the log lines about a partition that contain a text.
func (j *logBuffer) linesAbout(partition eventlog.Partition, text string) (lines []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range strings.Lines(j.text.String()) {
		if strings.Contains(line, fmt.Sprintf("partition=%d", partition)) && strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestFailuresShareALogLine(t *testing.T) {
	for _, fault := range []string{"Own", "Head", "Append"} {
		t.Run(fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { failForAWhile(t, fault) })
		})
	}
}

func failForAWhile(t *testing.T, fault string) {
	log := &failingLog{Memory: eventlogtest.NewMemory(), partition: eventlog.PartitionOf("partner/nokia"), failingMethod: fault}
	logged := new(logBuffer)
	node := startNode(t, log, func(cfg *bus.Config) {
		cfg.SharedLog = true
		cfg.Logger = slog.New(slog.NewTextHandler(logged, nil))
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		node.do(operator, domain.CreatePartner{PartnerID: "nokia", Profile: domain.PartnerProfile{Name: "Nokia", Country: "FI", TimeZone: "Europe/Helsinki"}})
	}()
	time.Sleep(35 * time.Second)
	require.Len(t, logged.linesAbout(log.partition, "restarts from"), 4, "the first at once, then one in ten seconds")
	require.Contains(t, logged.linesAbout(log.partition, "restarts from")[3], "failures=10")
	require.Greater(t, log.attempts(), 33)
	require.Less(t, log.attempts(), 40, "the delay doubles from 0.1 s to 1 s")
	require.Empty(t, logged.linesAbout(log.partition, "has recovered"))
	log.setFailing("")
	<-done
	synctest.Wait()
	require.Len(t, logged.linesAbout(log.partition, "has recovered"), 1)
	require.Len(t, logged.linesAbout(log.partition, ""), 5)
}

func TestRepeatedRecoveriesShareALogLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := eventlogtest.NewMemory()
		logged := new(logBuffer)
		node := startNode(t, log, func(cfg *bus.Config) { cfg.Logger = slog.New(slog.NewTextHandler(logged, nil)) })
		partition := eventlog.PartitionOf("agreement/a")
		node.activateAgreement()
		node.do(nokia, plan("m"))
		comment := func() {
			log.FailBefore(errors.New("the connection broke"))
			node.do(nokia, domain.CommentMilestone{MilestoneRef: ref("m"), Text: "seen"})
			synctest.Wait()
		}
		for range 20 {
			comment()
		}
		require.Len(t, logged.linesAbout(partition, "restarts from"), 1)
		require.Len(t, logged.linesAbout(partition, "has recovered"), 1)
		time.Sleep(10 * time.Second)
		comment()
		require.Len(t, logged.linesAbout(partition, "restarts from"), 2)
		require.Contains(t, logged.linesAbout(partition, "restarts from")[1], "failures=20")
		require.Len(t, logged.linesAbout(partition, "has recovered"), 2)
	})
}

// stuckModel does not apply the commits of one partition until it is released.
type stuckModel struct {
	*testModel
	partition eventlog.Partition
	released  chan struct{}
	asked     chan struct{}
}

func (m *stuckModel) WaitHead(ctx context.Context, partition eventlog.Partition, seq uint64) error {
	if partition == m.partition {
		select {
		case m.asked <- struct{}{}:
		case <-m.released:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-m.released:
		}
	}
	return m.testModel.WaitHead(ctx, partition, seq)
}

// leaseLog passes the leases of one partition to the test, which can release them.
type leaseLog struct {
	*eventlogtest.Memory
	partition eventlog.Partition
	leases    chan eventlog.Lease
}

func (l leaseLog) Own(ctx context.Context, partition eventlog.Partition) (eventlog.Lease, error) {
	lease, err := l.Memory.Own(ctx, partition)
	if err == nil && partition == l.partition {
		l.leases <- lease
	}
	return lease, err
}

// An owner that waits for a lost commit notices the end of its lease.
func TestWaitForTheReadModelEndsWithTheLease(t *testing.T) {
	partition := eventlog.PartitionOf("agreement/a")
	log := leaseLog{eventlogtest.NewMemory(), partition, make(chan eventlog.Lease, 2)}
	var stuck *stuckModel
	node := startNode(t, log, func(cfg *bus.Config) {
		stuck = &stuckModel{testModel: cfg.ReadModel.(*testModel), partition: partition, released: make(chan struct{}), asked: make(chan struct{})}
		cfg.ReadModel, cfg.SharedLog = stuck, true
	})
	<-stuck.asked
	require.NoError(t, (<-log.leases).Release(t.Context()))
	<-stuck.asked
	require.Len(t, log.leases, 1, "the partition has an owner again")
	close(stuck.released)
	node.activateAgreement()
}
