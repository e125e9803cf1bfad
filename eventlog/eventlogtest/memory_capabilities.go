package eventlogtest

import (
	"context"
	"time"

	"tandem/eventlog"
)

// Capabilities returns those of a log for one process whose command queue survives Reopen.
func (m *Memory) Capabilities() eventlog.Capabilities {
	return eventlog.Capabilities{DurableQueue: true}
}

// ClaimInstallation accepts every fingerprint until Close.
func (m *Memory) ClaimInstallation(ctx context.Context, _ string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.checkOpen(ctx)
}

// Staleness is always 0.
func (m *Memory) Staleness() time.Duration { return 0 }

// CheckCapacity always returns nil.
func (m *Memory) CheckCapacity() error { return nil }
