package eventlogtest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

var ownershipTests = map[string]func(*suite){
	"own/a second owner waits for the first":          (*suite).testSecondOwner,
	"own/a released lease cannot append":              (*suite).testReleased,
	"own/fencing tokens increase":                     (*suite).testFences,
	"own/concurrent calls for one partition":          (*suite).testManyOwn,
	"own/the end of the context":                      (*suite).testOwnContext,
	"own/a second release does not end a later lease": (*suite).testReleaseTwice,
	"own/every partition":                             (*suite).testOwnEveryPartition,
}

// newDeadline returns a context that ends after a time. The suite uses it where it checks that a call blocks: on a
// slow machine the call blocks longer, and the check still passes.
func newDeadline(ctx context.Context, patience time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, patience)
}

// requireBlocks checks that a call does not return before its context ends.
func (s *suite) requireBlocks(call func(context.Context) error) {
	s.Helper()
	ctx, cancel := newDeadline(s.ctx, 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(s, call(ctx), context.DeadlineExceeded)
}

func (s *suite) tryOwn(partition eventlog.Partition) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := s.log.Own(ctx, partition)
		return err
	}
}

func (s *suite) testSecondOwner() {
	first := s.own(4)
	s.requireBlocks(s.tryOwn(4))
	second := async(func() (eventlog.Lease, error) { return s.log.Own(s.ctx, 4) })
	first.append(1)
	select {
	case <-first.lease.Lost():
		s.Fatal("a waiting caller ended the first lease")
	case result := <-second:
		s.Fatalf("two owners at once: %v", result.err)
	default:
	}
	require.NoError(s, first.lease.Release(s.ctx))
	result := <-second
	require.NoError(s, result.err)
	require.Greater(s, result.value.Fence(), first.lease.Fence())
	<-first.lease.Lost()
}

func (s *suite) testReleased() {
	old := s.own(4)
	old.append(1)
	batch := old.batch(1)
	require.NoError(s, old.lease.Release(s.ctx))
	require.ErrorIs(s, s.log.Append(s.ctx, batch), eventlog.ErrConflict, "the partition has no owner")
	next := s.own(4)
	require.Equal(s, old.head, next.head)
	require.ErrorIs(s, s.log.Append(s.ctx, batch), eventlog.ErrConflict, "the partition has another owner")
	next.append(1)
}

func (s *suite) testFences() {
	var last uint64
	for range 3 {
		for range 3 {
			lease, err := s.log.Own(s.ctx, 60)
			require.NoError(s, err)
			require.Greater(s, lease.Fence(), last)
			last = lease.Fence()
			require.NoError(s, lease.Release(s.ctx))
		}
		s.reopen()
	}
}

func (s *suite) testManyOwn() {
	owned, inside := make(chan error, 16), make(chan struct{}, 1)
	for range cap(owned) {
		go func() {
			lease, err := s.log.Own(s.ctx, 4)
			if err != nil {
				owned <- err
				return
			}
			select {
			case inside <- struct{}{}:
			default:
				s.Error("two owners at once")
			}
			<-inside
			owned <- lease.Release(s.ctx)
		}()
	}
	for range cap(owned) {
		require.NoError(s, <-owned)
	}
}

func (s *suite) testOwnContext() {
	first := s.own(4)
	s.requireBlocks(s.tryOwn(4))
	require.NoError(s, first.lease.Release(s.ctx))
	s.own(4).append(1)
}

func (s *suite) testReleaseTwice() {
	first := s.own(4)
	require.NoError(s, first.lease.Release(s.ctx))
	second := s.own(4)
	require.NoError(s, first.lease.Release(s.ctx))
	second.append(1)
	select {
	case <-second.lease.Lost():
		s.Fatal("the second Release of the first lease ended the second lease")
	default:
	}
}

func (s *suite) testOwnEveryPartition() {
	for partition := range eventlog.Partitions {
		s.own(eventlog.Partition(partition)).append(1)
	}
}
