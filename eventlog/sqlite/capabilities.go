package sqlite

import (
	"context"
	"time"

	"tandem/eventlog"
)

// Capabilities returns those of a log for one process whose command queue is in memory.
func (l *Log) Capabilities() eventlog.Capabilities { return eventlog.Capabilities{} }

// ClaimInstallation accepts every fingerprint until Close.
func (l *Log) ClaimInstallation(ctx context.Context, _ string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkOpen(ctx)
}

// Staleness is always 0: followers are notified within this process.
func (l *Log) Staleness() time.Duration { return 0 }

// CheckCapacity always returns nil. A full disk stops the log; see Health.
func (l *Log) CheckCapacity() error { return nil }
