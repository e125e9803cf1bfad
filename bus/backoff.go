package bus

import (
	"log/slog"
	"time"
)

const (
	minBackoff     = 100 * time.Millisecond // before a partition that failed begins again
	maxBackoff     = time.Second            // when it fails again and again
	reportInterval = 10 * time.Second       // a partition's failures share a line of the log for so long
)

// backoff paces and reports the failures of one partition, so that one that fails again and again
// floods neither the log nor whoever reads what it says. Only the owner's goroutine uses it.
type backoff struct {
	logger       *slog.Logger
	delay        time.Duration // that the last failure took; 0: it works
	appendFailed bool          // the last failure was an append's; a good begin cures it not
	lastReport   time.Time     // when the last line about failures was written
	unreported   int           // failures since then
	recoveryDue  bool          // that line has no "works again" after it
}

// failed notes a failure, of an append or of what comes before, and returns how long to wait.
func (b *backoff) failed(err error, appends bool) time.Duration {
	b.unreported++
	if now := time.Now(); b.lastReport.IsZero() || now.Sub(b.lastReport) >= reportInterval {
		b.logger.Warn("a partition begins again at its checkpoint", "error", err, "failures", b.unreported)
		b.lastReport, b.unreported, b.recoveryDue = now, 0, true
	}
	b.appendFailed = appends
	b.delay = min(max(2*b.delay, minBackoff), maxBackoff)
	return b.delay
}

// succeeded notes that a begin succeeded, or an append.
func (b *backoff) succeeded(appends bool) {
	if b.delay == 0 || b.appendFailed && !appends {
		return
	}
	if b.delay = 0; b.recoveryDue {
		b.logger.Info("the partition works again", "failures", b.unreported)
		b.unreported, b.recoveryDue = 0, false
	}
}
