package eventlogtest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

var lifeTests = map[string]func(*suite){
	"life/reopen keeps everything":       (*suite).testReopen,
	"life/reopen an empty log":           (*suite).testReopenEmpty,
	"life/appending goes on after":       (*suite).testReopenAppend,
	"life/the inbox after reopen":        (*suite).testReopenInbox,
	"life/close ends leases and waiting": (*suite).testClose,
	"life/a closed log refuses":          (*suite).testClosed,
	"life/healthy until closed":          (*suite).testHealth,
}

func (s *suite) testReopen() {
	chains := []*chain{s.own(0), s.own(31), s.own(63)}
	for i := range 40 {
		c := chains[i%len(chains)]
		b := c.full()
		for j := range b.Records {
			b.Records[j].At = recent()
		}
		require.NoError(s, c.store(s.ctx, b))
	}
	before := make([]everything, len(chains))
	for i, c := range chains {
		before[i] = c.everything()
	}
	s.reopen()
	for i, c := range chains {
		if !s.h.InboxSurvives {
			before[i].Checkpoint, before[i].Waiting = eventlog.Offset{}, nil
		}
		require.Equal(s, before[i], c.everything())
	}
	f := s.follow(eventlog.Positions{})
	f.waitLive()
	require.Equal(s, 80, f.atLive)
	for _, c := range chains {
		require.Equal(s, c.stored(), ofPartition(f.wait(80), c.p))
	}
	f.end()
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
	c := s.own(1)
	require.EqualValues(s, 12, c.head.Seq)
	var head eventlog.Head
	for _, commit := range c.stored() {
		require.NoError(s, commit.Verify(head))
		head = commit.Head()
	}
}

func (s *suite) testReopenInbox() {
	handled := s.sent("t", "a")
	s.sent("t", "b")
	require.NoError(s, s.log.Advance(s.ctx, "t", handled))
	s.reopen()
	at, err := s.log.Checkpoint(s.ctx, "t")
	require.NoError(s, err)
	if s.h.InboxSurvives {
		require.Equal(s, handled, at)
		require.Equal(s, []string{"b"}, ids(s.waiting("t")))
		return
	}
	require.Zero(s, at)
	require.Empty(s, s.waiting("t"))
}

func (s *suite) testClose() {
	c := s.own(1)
	ownDone := started(func() (eventlog.Lease, error) { return s.log.Own(s.ctx, 1) })
	receiveDone := started(func() ([]eventlog.Message, error) { return s.log.Receive(s.ctx, "t", eventlog.Offset{}, 1) })
	f := s.follow(eventlog.Positions{})
	f.waitLive()
	require.NoError(s, s.log.Close())
	<-c.lease.Lost()
	require.ErrorIs(s, (<-ownDone).err, eventlog.ErrStopped)
	require.ErrorIs(s, (<-receiveDone).err, eventlog.ErrStopped)
	require.ErrorIs(s, (<-f.done).err, eventlog.ErrStopped)
	f.cancel()
	require.NoError(s, c.lease.Release(s.ctx), "a release after the end")
	require.NoError(s, s.log.Close(), "a second Close")
}

func (s *suite) testClosed() {
	c := s.own(1)
	c.append(1)
	require.NoError(s, s.log.Close())
	for name, call := range map[string]func(context.Context) error{
		"Append":      func(ctx context.Context) error { return s.log.Append(ctx, c.batch(1)) },
		"Own":         s.tryOwn(1),
		"Head":        func(ctx context.Context) error { _, err := s.log.Head(ctx, 1); return err },
		"Read":        func(ctx context.Context) error { _, err := s.log.Read(ctx, 1, []uint64{1}); return err },
		"Follow":      func(ctx context.Context) error { return s.log.Follow(ctx, eventlog.Positions{}, nil, nil) },
		"Records":     func(ctx context.Context) error { _, err := s.log.Records(ctx, 1, time.Time{}); return err },
		"DeadLetters": func(ctx context.Context) error { _, err := s.log.DeadLetters(ctx, 1); return err },
		"Get":         func(ctx context.Context) error { _, err := s.log.Get(ctx, 1, "k"); return err },
		"Scan":        func(ctx context.Context) error { _, err := s.log.Scan(ctx, 1, ""); return err },
		"Send":        func(ctx context.Context) error { return s.log.Send(ctx, "t", eventlog.Message{}) },
		"Receive":     func(ctx context.Context) error { _, err := s.log.Receive(ctx, "t", eventlog.Offset{}, 1); return err },
		"Checkpoint":  func(ctx context.Context) error { _, err := s.log.Checkpoint(ctx, "t"); return err },
		"Advance":     func(ctx context.Context) error { return s.log.Advance(ctx, "t", eventlog.Offset{1}) },
		"Heads":       func(ctx context.Context) error { _, err := s.log.Heads(ctx); return err },
		"ReportLoss":  func(ctx context.Context) error { return s.log.ReportLoss(ctx, c.lossOf(1)) },
		"AcceptLoss":  func(ctx context.Context) error { return s.log.AcceptLoss(ctx, 1) },
		"Losses":      func(ctx context.Context) error { _, err := s.log.Losses(ctx); return err },
		"Status":      func(ctx context.Context) error { _, err := s.log.Status(ctx); return err },
		"Health":      func(context.Context) error { return s.log.Health() },
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
