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

// divergedModel tells another end of one partition than it has applied, until it is mended.
type divergedModel struct {
	*testModel
	partition eventlog.Partition
	alterHead func(eventlog.Head) eventlog.Head // guarded by image.mu; nil: mended
	asked     chan struct{}
}

func (i *divergedModel) Head(partition eventlog.Partition) eventlog.Head {
	head := i.testModel.Head(partition)
	i.mu.Lock()
	defer i.mu.Unlock()
	if partition != i.partition || i.alterHead == nil {
		return head
	}
	select {
	case i.asked <- struct{}{}:
	default:
	}
	return i.alterHead(head)
}

func TestNothingIsDecidedOnAnImageOfAnotherHistory(t *testing.T) {
	partition := eventlog.PartitionOf("agreement/a")
	for name, bend := range map[string]func(eventlog.Head) eventlog.Head{
		"it is ahead":           func(head eventlog.Head) eventlog.Head { head.Seq++; return head },
		"it has another commit": func(head eventlog.Head) eventlog.Head { head.Hash[0]++; return head },
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
			for range 3 { // it begins again and again
				<-diverged.asked
			}
			sent, err := log.Receive(t.Context(), eventlog.Topic(partition), eventlog.Offset{}, 9)
			require.NoError(t, err)
			require.Len(t, sent, 1, "the command is still in the inbox")
			require.Equal(t, before, node.commits())
			diverged.mu.Lock()
			diverged.alterHead = nil
			diverged.mu.Unlock()
			require.NoError(t, <-done)
			require.Len(t, node.commits(), len(before)+1)
		})
	}
}

// Whatever read of a command panics, also one in the fold, the command is refused, those before and
// after it are decided, and a state that may be half changed is not decided on.
func TestPanicInTheFoldBeginsAgain(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	node.activateAgreement()
	partition := eventlog.PartitionOf("agreement/a")
	for spared := 0; ; spared++ {
		id := milestone(spared)
		node.model.setPanic(id, spared)
		result, err := node.bus.Do(t.Context(), newRequest(nokia, plan(id)))
		require.NoError(t, err)
		if result.Rejection == nil {
			break // it reads no more than that
		}
		require.Equal(t, domain.Internal, result.Rejection.Kind)
		node.do(nokia, plan(id+"-after"))
		node.model.setPanic("", 0)
		node.do(nokia, plan(id))
	}
	require.Greater(t, node.model.forks[partition], 1, "a read of the fold panicked")
	require.Less(t, node.model.forks[partition], 9)
	node.commits()
}

func TestPanicInTheFoldWithOthersUnderWay(t *testing.T) {
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
				log.FailAfter(nil) // the append that is held does not
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

// foldReads returns how many reads of a new milestone its plan makes before it is folded.
func foldReads(t *testing.T) int {
	node := startNode(t, eventlogtest.NewMemory())
	defer node.stop()
	node.activateAgreement()
	const many = 1000
	node.model.setPanic("m", many)
	node.do(nokia, plan("m"))
	node.model.mu.Lock()
	defer node.model.mu.Unlock()
	return many - node.model.readsBeforePanic - 1 // the fold makes one
}

// failingLog is a log that fails one partition's owner as long as it is told to.
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

// logBuffer collects what is logged.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *logBuffer) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// linesAbout returns the lines that say something of a partition.
func (j *logBuffer) linesAbout(partition eventlog.Partition, what string) (lines []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range strings.Lines(j.text.String()) {
		if strings.Contains(line, fmt.Sprintf("partition=%d", partition)) && strings.Contains(line, what) {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestSetbacksShareALine(t *testing.T) {
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
	require.Len(t, logged.linesAbout(log.partition, "restarts from"), 4, "one at once, and one in ten seconds")
	require.Contains(t, logged.linesAbout(log.partition, "restarts from")[3], "failures=10")
	require.Greater(t, log.attempts(), 33)
	require.Less(t, log.attempts(), 40, "ten times a second at first, and then once a second")
	require.Empty(t, logged.linesAbout(log.partition, "has recovered"))
	log.setFailing("")
	<-done
	synctest.Wait()
	require.Len(t, logged.linesAbout(log.partition, "has recovered"), 1)
	require.Len(t, logged.linesAbout(log.partition, ""), 5)
}

func TestPartitionThatKeepsFailingAndRecoveringFloodsNothing(t *testing.T) {
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

// stuckModel never gets as far as the log in one partition, until it is mended.
type stuckModel struct {
	*testModel
	partition eventlog.Partition
	released  chan struct{}
	asked     chan struct{}
}

func (i *stuckModel) WaitHead(ctx context.Context, partition eventlog.Partition, seq uint64) error {
	if partition == i.partition {
		select {
		case i.asked <- struct{}{}:
		case <-i.released:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-i.released:
		}
	}
	return i.testModel.WaitHead(ctx, partition, seq)
}

// leaseLog hands the leases of one partition to the test too, which can end them.
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

// An owner may wait for a commit that is lost: it must not miss that its lease ended over that.
func TestWaitForTheImageEndsWithTheLease(t *testing.T) {
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
	require.Len(t, log.leases, 1, "it owns the partition anew")
	close(stuck.released)
	node.activateAgreement()
}
