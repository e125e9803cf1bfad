package eventlogtest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

var ownershipTests = map[string]func(*suite){
	"own/a second owner waits for the first": (*suite).testSecondOwner,
	"own/a released lease appends nothing":   (*suite).testReleased,
	"own/later fences are higher":            (*suite).testFences,
	"own/many ask for one partition":         (*suite).testManyOwn,
	"own/a context that ends takes no lease": (*suite).testOwnContext,
	"own/releasing twice ends nobody else's": (*suite).testReleaseTwice,
	"own/partitions are owned one by one":    (*suite).testOwnEveryPartition,
}

// newDeadline returns a context that ends after d. The suite uses it to show that something
// waits, and a slow machine only lets it wait for longer.
func newDeadline(ctx context.Context, patience time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, patience)
}

// testWaits shows that f does not return before its context ends.
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
		s.Fatal("the first owner lost its lease to one who waits")
	case result := <-second:
		s.Fatalf("a second owner beside the first: %v", result.err)
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
	require.ErrorIs(s, s.log.Append(s.ctx, batch), eventlog.ErrConflict, "nobody owns the partition")
	next := s.own(4)
	require.Equal(s, old.head, next.head)
	require.ErrorIs(s, s.log.Append(s.ctx, batch), eventlog.ErrConflict, "another owns the partition")
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
		s.Fatal("the second owner lost its lease to the first one's Release")
	default:
	}
}

func (s *suite) testOwnEveryPartition() {
	for partition := range eventlog.Partitions {
		s.own(eventlog.Partition(partition)).append(1)
	}
}
