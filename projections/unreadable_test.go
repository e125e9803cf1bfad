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

// deafLog is a log that is followed but answers no question any more.
type deafLog struct {
	eventlog.Log
	fault error // nil: it answers
}

func (l *deafLog) Read(ctx context.Context, p eventlog.Partition, seqs []uint64) ([]eventlog.Commit, error) {
	if l.fault != nil {
		return nil, l.fault
	}
	return l.Log.Read(ctx, p, seqs)
}

func (l *deafLog) Heads(ctx context.Context) (eventlog.Positions, error) {
	if l.fault != nil {
		return eventlog.Positions{}, l.fault
	}
	return l.Log.Heads(ctx)
}

func (l *deafLog) Scan(ctx context.Context, p eventlog.Partition, prefix string) ([]eventlog.KV, error) {
	if l.fault != nil {
		return nil, l.fault
	}
	return l.Log.Scan(ctx, p, prefix)
}

// TestUnreadableLog: what cannot be read now is told apart from what can never be read.
func TestUnreadableLog(t *testing.T) {
	h := newHouse(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	log := &deafLog{Log: h.log}
	cfg := h.config()
	cfg.Log = log
	i := h.follow(t, cfg)
	i.caughtUp(t)
	ctx, v := context.Background(), partner("nokia")
	for name, ask := range map[string]func() error{
		"feed": func() error {
			_, _, err := i.AgreementEvents(ctx, v, agreementID, "", 10)
			return err
		},
		"past": func() error {
			return i.AsOf(ctx, v, domain.Stream{Agreement: agreementID}, 1, func(*projections.View) error { return nil })
		},
		"profile": func() error {
			_, _, err := i.Profile(ctx, "nokia", "somebody")
			return err
		},
		"latest": func() error { return i.WaitLatest(ctx) },
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
