package projections_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// unreadableLog is a log that is followed but answers no question any more.
type unreadableLog struct {
	eventlog.Log
	fault error // nil: it answers
}

func (l *unreadableLog) Read(ctx context.Context, partition eventlog.Partition, seqs []uint64) ([]eventlog.Commit, error) {
	if l.fault != nil {
		return nil, l.fault
	}
	return l.Log.Read(ctx, partition, seqs)
}

func (l *unreadableLog) Heads(ctx context.Context) (eventlog.Positions, error) {
	if l.fault != nil {
		return eventlog.Positions{}, l.fault
	}
	return l.Log.Heads(ctx)
}

func (l *unreadableLog) Scan(ctx context.Context, partition eventlog.Partition, prefix string) ([]eventlog.KV, error) {
	if l.fault != nil {
		return nil, l.fault
	}
	return l.Log.Scan(ctx, partition, prefix)
}

// TestUnreadableLog: what cannot be read now is told apart from what can never be read.
func TestUnreadableLog(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	log := &unreadableLog{Log: h.log}
	cfg := h.config()
	cfg.Log = log
	model := h.follow(t, cfg)
	model.caughtUp(t)
	ctx, viewer := context.Background(), viewerOf("nokia")
	for name, ask := range map[string]func() error{
		"feed": func() error {
			_, _, err := model.agreementEvents(ctx, viewer, agreementID, "", 10)
			return err
		},
		"past": func() error {
			return model.AsOf(ctx, viewer, domain.Stream{Agreement: agreementID}, 1, func(*projections.View) error { return nil })
		},
		"profile": func() error {
			_, _, err := model.Profile(ctx, "nokia", "somebody")
			return err
		},
		"latest": func() error { return model.WaitLatest(ctx) },
	} {
		log.fault = nil
		require.NoError(t, ask(), name)
		log.fault = errors.New("connection refused")
		err := ask()
		require.ErrorIs(t, err, projections.ErrUnreadable, name)
		require.ErrorIs(t, err, log.fault, name)
		log.fault = eventlog.ErrDamaged
		require.NotErrorIs(t, ask(), projections.ErrUnreadable, name)
	}
}
