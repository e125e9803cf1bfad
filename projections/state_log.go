package projections

import (
	"context"

	"tandem/eventlog"
)

// Log is the part of an eventlog.Log that the read model uses.
type Log interface {
	Follow(ctx context.Context, from eventlog.Positions, handle func([]eventlog.Entry) error, onLive func()) error
	Heads(ctx context.Context) (eventlog.Positions, error)
	Read(ctx context.Context, partition eventlog.Partition, seqs []uint64) ([]eventlog.Commit, error)
	Get(ctx context.Context, partition eventlog.Partition, key string) ([]byte, error)
	Scan(ctx context.Context, partition eventlog.Partition, prefix string) ([]eventlog.KV, error)
	Losses(ctx context.Context) (eventlog.Losses, error)
	ReportLoss(ctx context.Context, loss eventlog.LostTailError) error
}
