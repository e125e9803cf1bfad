package bus

import (
	"log/slog"
	"time"
)

const (
	firstPause   = 100 * time.Millisecond // before a partition that failed begins again
	longestPause = time.Second            // when it fails again and again
	reportEvery  = 10 * time.Second       // a partition's failures share a line of the log for so long
)

// setbacks paces and reports the failures of one partition, so that one that fails again and again
// floods neither the log nor whoever reads what it says. Only the owner's goroutine uses it.
type setbacks struct {
	logger   *slog.Logger
	pause    time.Duration // that the last failure took; 0: it works
	appends  bool          // the last failure was an append's; a good begin cures it not
	reported time.Time     // when the last line about failures was written
	untold   int           // failures since then
	open     bool          // that line has no "works again" after it
}

// failed notes a failure, of an append or of what comes before, and returns how long to wait.
func (s *setbacks) failed(err error, appends bool) time.Duration {
	s.untold++
	if now := time.Now(); s.reported.IsZero() || now.Sub(s.reported) >= reportEvery {
		s.logger.Warn("a partition begins again at its checkpoint", "error", err, "failures", s.untold)
		s.reported, s.untold, s.open = now, 0, true
	}
	s.appends = appends
	s.pause = min(max(2*s.pause, firstPause), longestPause)
	return s.pause
}

// worked notes that a begin succeeded, or an append.
func (s *setbacks) worked(appends bool) {
	if s.pause == 0 || s.appends && !appends {
		return
	}
	if s.pause = 0; s.open {
		s.logger.Info("the partition works again", "failures", s.untold)
		s.untold, s.open = 0, false
	}
}
