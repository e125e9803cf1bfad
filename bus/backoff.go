package bus

import (
	"log/slog"
	"time"
)

const (
	minBackoff     = 100 * time.Millisecond // after the first failure; doubles with each further one
	maxBackoff     = time.Second
	reportInterval = 10 * time.Second // at most one log line about failures per partition
)

// backoff spaces the restarts of a failing partition and limits the log lines about it. Only the
// owner's goroutine uses it.
type backoff struct {
	logger       *slog.Logger
	delay        time.Duration // after the last failure; 0 while the partition works
	appendFailed bool          // the last failure was an append; a successful start does not reset it
	lastReport   time.Time     // when the last failure was logged
	unreported   int           // failures since then
	recoveryDue  bool          // the recovery from the last logged failure is not logged yet
}

// failed records a failure, of an append (appends) or of an earlier step, and returns the delay before
// the next start.
func (b *backoff) failed(err error, appends bool) time.Duration {
	b.unreported++
	if now := time.Now(); b.lastReport.IsZero() || now.Sub(b.lastReport) >= reportInterval {
		b.logger.Warn("a partition restarts from its checkpoint", "error", err, "failures", b.unreported)
		b.lastReport, b.unreported, b.recoveryDue = now, 0, true
	}
	b.appendFailed = appends
	b.delay = min(max(2*b.delay, minBackoff), maxBackoff)
	return b.delay
}

// succeeded records a successful append (appends) or start, and resets the delay.
func (b *backoff) succeeded(appends bool) {
	if b.delay == 0 || b.appendFailed && !appends {
		return
	}
	if b.delay = 0; b.recoveryDue {
		b.logger.Info("the partition has recovered", "failures", b.unreported)
		b.unreported, b.recoveryDue = 0, false
	}
}
