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

// askewImage tells another end of one partition than it has applied, until it is mended.
type askewImage struct {
	*image
	p     eventlog.Partition
	bend  func(eventlog.Head) eventlog.Head // guarded by image.mu; nil: mended
	asked chan struct{}
}

func (i *askewImage) Head(p eventlog.Partition) eventlog.Head {
	head := i.image.Head(p)
	i.mu.Lock()
	defer i.mu.Unlock()
	if p != i.p || i.bend == nil {
		return head
	}
	select {
	case i.asked <- struct{}{}:
	default:
	}
	return i.bend(head)
}

func TestNothingIsDecidedOnAnImageOfAnotherHistory(t *testing.T) {
	p := eventlog.PartitionOf("agreement/a")
	for name, bend := range map[string]func(eventlog.Head) eventlog.Head{
		"it is ahead":           func(h eventlog.Head) eventlog.Head { h.Seq++; return h },
		"it has another commit": func(h eventlog.Head) eventlog.Head { h.Hash[0]++; return h },
	} {
		t.Run(name, func(t *testing.T) {
			log := eventlogtest.NewMemory()
			n := startNode(t, log)
			n.agree()
			before := n.commits()
			n.stop()

			var askew *askewImage
			n = startNode(t, log, func(c *bus.Config) {
				askew = &askewImage{image: c.Image.(*image), p: p, bend: bend, asked: make(chan struct{})}
				c.Image, c.Shared = askew, true
			})
			done := make(chan error, 1)
			go func() {
				_, err := n.bus.Do(t.Context(), request(nokia, plan("m")))
				done <- err
			}()
			for range 3 { // it begins again and again
				<-askew.asked
			}
			sent, err := log.Receive(t.Context(), eventlog.Topic(p), eventlog.Offset{}, 9)
			require.NoError(t, err)
			require.Len(t, sent, 1, "the command is still in the inbox")
			require.Equal(t, before, n.commits())
			askew.mu.Lock()
			askew.bend = nil
			askew.mu.Unlock()
			require.NoError(t, <-done)
			require.Len(t, n.commits(), len(before)+1)
		})
	}
}

// Whatever read of a command panics, also one in the fold, the command is refused, those before and
// after it are decided, and a state that may be half changed is not decided on.
func TestPanicInTheFoldBeginsAgain(t *testing.T) {
	n := startNode(t, eventlogtest.NewMemory())
	n.agree()
	p := eventlog.PartitionOf("agreement/a")
	for spared := 0; ; spared++ {
		id := milestone(spared)
		n.image.poisoned(id, spared)
		result, err := n.bus.Do(t.Context(), request(nokia, plan(id)))
		require.NoError(t, err)
		if result.Rejection == nil {
			break // it reads no more than that
		}
		require.Equal(t, domain.Internal, result.Rejection.Kind)
		n.do(nokia, plan(id+"-after"))
		n.image.poisoned("", 0)
		n.do(nokia, plan(id))
	}
	require.Greater(t, n.image.forks[p], 1, "a read of the fold panicked")
	require.Less(t, n.image.forks[p], 9)
	n.commits()
}

func TestPanicInTheFoldWithOthersUnderWay(t *testing.T) {
	for name, failed := range map[string]bool{"the append succeeds": false, "the append fails": true} {
		t.Run(name, func(t *testing.T) {
			log := eventlogtest.NewMemory()
			n := startNode(t, log)
			n.agree()
			topic := eventlog.Topic(eventlog.PartitionOf("agreement/a"))
			n.image.poisoned("bad", foldReads(t))
			held := log.Hold()
			answers := make(map[domain.MilestoneID]chan bus.Result)
			at, err := log.Checkpoint(t.Context(), topic)
			require.NoError(t, err)
			for i, id := range []domain.MilestoneID{"first", "second", "bad", "third", "fourth"} {
				answer := make(chan bus.Result, 1)
				answers[id] = answer
				go func() {
					result, err := n.bus.Do(t.Context(), request(nokia, plan(id)))
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
			require.Len(t, n.commits(), 4+4)
		})
	}
}

// foldReads returns how many reads of a new milestone its plan makes before it is folded.
func foldReads(t *testing.T) int {
	n := startNode(t, eventlogtest.NewMemory())
	defer n.stop()
	n.agree()
	const many = 1000
	n.image.poisoned("m", many)
	n.do(nokia, plan("m"))
	n.image.mu.Lock()
	defer n.image.mu.Unlock()
	return many - n.image.spared - 1 // the fold makes one
}

// moody is a log that fails one partition's owner as long as it is told to.
type moody struct {
	*eventlogtest.Memory
	p eventlog.Partition

	mu    sync.Mutex
	fault string // the method that fails
	tries int
}

func (l *moody) fails(p eventlog.Partition, method string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p != l.p || method != l.fault {
		return nil
	}
	l.tries++
	return errors.New("the connection broke")
}

func (l *moody) set(fault string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = fault
}

func (l *moody) tried() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tries
}

func (l *moody) Own(ctx context.Context, p eventlog.Partition) (eventlog.Lease, error) {
	if err := l.fails(p, "Own"); err != nil {
		return nil, err
	}
	return l.Memory.Own(ctx, p)
}

func (l *moody) Head(ctx context.Context, p eventlog.Partition) (eventlog.Head, error) {
	if err := l.fails(p, "Head"); err != nil {
		return eventlog.Head{}, err
	}
	return l.Memory.Head(ctx, p)
}

func (l *moody) Append(ctx context.Context, b eventlog.Batch) error {
	if err := l.fails(b.Partition, "Append"); err != nil {
		return err
	}
	return l.Memory.Append(ctx, b)
}

// journal collects what is logged.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// about returns the lines that say something of a partition.
func (j *journal) about(p eventlog.Partition, what string) (lines []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range strings.Lines(j.text.String()) {
		if strings.Contains(line, fmt.Sprintf("partition=%d", p)) && strings.Contains(line, what) {
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
	log := &moody{Memory: eventlogtest.NewMemory(), p: eventlog.PartitionOf("partner/nokia"), fault: fault}
	said := new(journal)
	n := startNode(t, log, func(c *bus.Config) {
		c.Shared = true
		c.Logger = slog.New(slog.NewTextHandler(said, nil))
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.do(operator, domain.CreatePartner{ID: "nokia", Profile: domain.PartnerProfile{Name: "Nokia", Country: "FI", TimeZone: "Europe/Helsinki"}})
	}()
	time.Sleep(35 * time.Second)
	require.Len(t, said.about(log.p, "begins again"), 4, "one at once, and one in ten seconds")
	require.Contains(t, said.about(log.p, "begins again")[3], "failures=10")
	require.Greater(t, log.tried(), 33)
	require.Less(t, log.tried(), 40, "ten times a second at first, and then once a second")
	require.Empty(t, said.about(log.p, "works again"))
	log.set("")
	<-done
	synctest.Wait()
	require.Len(t, said.about(log.p, "works again"), 1)
	require.Len(t, said.about(log.p, ""), 5)
}

func TestPartitionThatKeepsFailingAndRecoveringFloodsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := eventlogtest.NewMemory()
		said := new(journal)
		n := startNode(t, log, func(c *bus.Config) { c.Logger = slog.New(slog.NewTextHandler(said, nil)) })
		p := eventlog.PartitionOf("agreement/a")
		n.agree()
		n.do(nokia, plan("m"))
		comment := func() {
			log.FailBefore(errors.New("the connection broke"))
			n.do(nokia, domain.CommentMilestone{Ref: ref("m"), Text: "seen"})
			synctest.Wait()
		}
		for range 20 {
			comment()
		}
		require.Len(t, said.about(p, "begins again"), 1)
		require.Len(t, said.about(p, "works again"), 1)
		time.Sleep(10 * time.Second)
		comment()
		require.Len(t, said.about(p, "begins again"), 2)
		require.Contains(t, said.about(p, "begins again")[1], "failures=20")
		require.Len(t, said.about(p, "works again"), 2)
	})
}

// stuckImage never gets as far as the log in one partition, until it is mended.
type stuckImage struct {
	*image
	p      eventlog.Partition
	mended chan struct{}
	asked  chan struct{}
}

func (i *stuckImage) WaitHead(ctx context.Context, p eventlog.Partition, seq uint64) error {
	if p == i.p {
		select {
		case i.asked <- struct{}{}:
		case <-i.mended:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-i.mended:
		}
	}
	return i.image.WaitHead(ctx, p, seq)
}

// leaseLog hands the leases of one partition to the test too, which can end them.
type leaseLog struct {
	*eventlogtest.Memory
	p      eventlog.Partition
	leases chan eventlog.Lease
}

func (l leaseLog) Own(ctx context.Context, p eventlog.Partition) (eventlog.Lease, error) {
	lease, err := l.Memory.Own(ctx, p)
	if err == nil && p == l.p {
		l.leases <- lease
	}
	return lease, err
}

// An owner may wait for a commit that is lost: it must not miss that its lease ended over that.
func TestWaitForTheImageEndsWithTheLease(t *testing.T) {
	p := eventlog.PartitionOf("agreement/a")
	log := leaseLog{eventlogtest.NewMemory(), p, make(chan eventlog.Lease, 2)}
	var stuck *stuckImage
	n := startNode(t, log, func(c *bus.Config) {
		stuck = &stuckImage{image: c.Image.(*image), p: p, mended: make(chan struct{}), asked: make(chan struct{})}
		c.Image, c.Shared = stuck, true
	})
	<-stuck.asked
	require.NoError(t, (<-log.leases).Release(t.Context()))
	<-stuck.asked
	require.Len(t, log.leases, 1, "it owns the partition anew")
	close(stuck.mended)
	n.agree()
}
