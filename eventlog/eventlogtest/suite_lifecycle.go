package eventlogtest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

var lifecycleTests = map[string]func(*suite){
	"lifecycle/reopen keeps everything":             (*suite).testReopen,
	"lifecycle/reopen an empty log":                 (*suite).testReopenEmpty,
	"lifecycle/append after reopen":                 (*suite).testReopenAppend,
	"lifecycle/reopen and the command queue":        (*suite).testReopenQueue,
	"lifecycle/close ends leases and blocked calls": (*suite).testClose,
	"lifecycle/a closed log returns ErrStopped":     (*suite).testClosed,
	"lifecycle/healthy until closed":                (*suite).testHealth,
	"lifecycle/claim by an installation":            (*suite).testClaim,
}

func (s *suite) testReopen() {
	chains := []*partitionOwner{s.own(0), s.own(31), s.own(63)}
	for i := range 40 {
		owner := chains[i%len(chains)]
		batch := owner.fullBatch()
		for j := range batch.Receipts {
			batch.Receipts[j].At = recentTime()
		}
		require.NoError(s, owner.store(s.ctx, batch))
	}
	before := make([]partitionState, len(chains))
	for i, owner := range chains {
		before[i] = owner.state()
	}
	s.reopen()
	for i, owner := range chains {
		if !s.log.Capabilities().DurableQueue {
			before[i].Checkpoint, before[i].Waiting = eventlog.Offset{}, nil
		}
		require.Equal(s, before[i], owner.state())
	}
	collector := s.follow(eventlog.Positions{})
	collector.waitLive()
	require.Equal(s, 80, collector.entriesAtLive)
	for _, owner := range chains {
		require.Equal(s, owner.storedCommits(), commitsOf(collector.wait(80), owner.partition))
	}
	collector.end()
}

func (s *suite) testReopenEmpty() {
	s.reopen()
	s.own(1).append(1)
}

func (s *suite) testReopenAppend() {
	for range 4 {
		s.own(1).append(3)
		s.own(2).append(1)
		s.reopen()
	}
	owner := s.own(1)
	require.EqualValues(s, 12, owner.head.Seq)
	var head eventlog.Head
	for _, commit := range owner.storedCommits() {
		require.NoError(s, commit.Verify(head))
		head = commit.Head()
	}
}

func (s *suite) testReopenQueue() {
	handled := s.send("t", "a")
	s.send("t", "b")
	require.NoError(s, s.log.Advance(s.ctx, "t", handled))
	s.reopen()
	at, err := s.log.Checkpoint(s.ctx, "t")
	require.NoError(s, err)
	if s.log.Capabilities().DurableQueue {
		require.Equal(s, handled, at)
		require.Equal(s, []string{"b"}, messageIDs(s.queued("t")))
		return
	}
	require.Zero(s, at)
	require.Empty(s, s.queued("t"))
}

func (s *suite) testClose() {
	owner := s.own(1)
	ownDone := async(func() (eventlog.Lease, error) { return s.log.Own(s.ctx, 1) })
	receiveDone := async(func() ([]eventlog.Message, error) { return s.log.Receive(s.ctx, "t", eventlog.Offset{}, 1) })
	collector := s.follow(eventlog.Positions{})
	collector.waitLive()
	require.NoError(s, s.log.Close())
	<-owner.lease.Lost()
	require.ErrorIs(s, (<-ownDone).err, eventlog.ErrStopped)
	require.ErrorIs(s, (<-receiveDone).err, eventlog.ErrStopped)
	require.ErrorIs(s, (<-collector.done).err, eventlog.ErrStopped)
	collector.cancel()
	require.NoError(s, owner.lease.Release(s.ctx), "Release after Close")
	require.NoError(s, s.log.Close(), "a second Close")
}

func (s *suite) testClosed() {
	owner := s.own(1)
	owner.append(1)
	require.NoError(s, s.log.Close())
	for name, call := range map[string]func(context.Context) error{
		"Append":            func(ctx context.Context) error { return s.log.Append(ctx, owner.batch(1)) },
		"Own":               s.tryOwn(1),
		"Head":              func(ctx context.Context) error { _, err := s.log.Head(ctx, 1); return err },
		"Read":              func(ctx context.Context) error { _, err := s.log.Read(ctx, 1, []uint64{1}); return err },
		"Follow":            func(ctx context.Context) error { return s.log.Follow(ctx, eventlog.Positions{}, nil, nil) },
		"Records":           func(ctx context.Context) error { _, err := s.log.Receipts(ctx, 1, time.Time{}); return err },
		"DeadLetters":       func(ctx context.Context) error { _, err := s.log.DeadLetters(ctx, 1); return err },
		"Get":               func(ctx context.Context) error { _, err := s.log.Get(ctx, 1, "k"); return err },
		"Scan":              func(ctx context.Context) error { _, err := s.log.Scan(ctx, 1, ""); return err },
		"Send":              func(ctx context.Context) error { return s.log.Send(ctx, "t", eventlog.Message{}) },
		"Receive":           func(ctx context.Context) error { _, err := s.log.Receive(ctx, "t", eventlog.Offset{}, 1); return err },
		"Checkpoint":        func(ctx context.Context) error { _, err := s.log.Checkpoint(ctx, "t"); return err },
		"Advance":           func(ctx context.Context) error { return s.log.Advance(ctx, "t", eventlog.Offset{1}) },
		"Heads":             func(ctx context.Context) error { _, err := s.log.Heads(ctx); return err },
		"ReportLoss":        func(ctx context.Context) error { return s.log.ReportLoss(ctx, owner.lossOf(1)) },
		"AcceptLoss":        func(ctx context.Context) error { return s.log.AcceptLoss(ctx, 1) },
		"Losses":            func(ctx context.Context) error { _, err := s.log.Losses(ctx); return err },
		"Status":            func(ctx context.Context) error { _, err := s.log.Status(ctx); return err },
		"ClaimInstallation": func(ctx context.Context) error { return s.log.ClaimInstallation(ctx, "fingerprint") },
		"Health":            func(context.Context) error { return s.log.Health() },
	} {
		require.ErrorIs(s, call(s.ctx), eventlog.ErrStopped, name)
	}
}

func (s *suite) testHealth() {
	require.NoError(s, s.log.Health())
	s.own(1).append(1)
	require.NoError(s, s.log.Health())
	require.NoError(s, s.log.Close())
	require.ErrorIs(s, s.log.Health(), eventlog.ErrStopped)
}

// testClaim checks that a shared log keeps the first fingerprint, also when it is reopened.
func (s *suite) testClaim() {
	for range 2 {
		require.NoError(s, s.log.ClaimInstallation(s.ctx, "first"))
		err := s.log.ClaimInstallation(s.ctx, "second")
		if s.log.Capabilities().Shared {
			require.Error(s, err)
		} else {
			require.NoError(s, err)
		}
		require.NoError(s, s.log.CheckCapacity())
		require.Zero(s, s.log.Staleness(), "without followers")
		s.reopen()
	}
}
