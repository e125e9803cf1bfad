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

// unreadableLog is a log whose reads can be made to fail.
type unreadableLog struct {
	eventlog.Log
	fault error // returned by every read; nil: reads succeed
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

// TestErrorsOfReadingTheLog: ErrUnreadable means that a repetition can succeed.
func TestErrorsOfReadingTheLog(t *testing.T) {
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
			_, _, err := model.Profile(ctx, "nokia", "anna")
			return err
		},
		"latest": func() error { return model.WaitLatest(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			log.fault = nil
			require.NoError(t, ask())
			log.fault = errors.New("connection refused")
			err := ask()
			require.ErrorIs(t, err, projections.ErrUnreadable)
			require.ErrorIs(t, err, log.fault)
			log.fault = eventlog.ErrDamaged
			require.NotErrorIs(t, ask(), projections.ErrUnreadable, "a repetition cannot succeed")
		})
	}
}
