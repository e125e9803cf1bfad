package webhooks

import (
	"math/rand/v2"
	"time"

	"tandem/domain"
)

// retrySchedule is the backoff after consecutive failures, from the example of Standard Webhooks. After its end, the
// last step repeats.
var retrySchedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	// disableAfter is how long an endpoint may fail without a success before its webhook is disabled.
	disableAfter = 5 * 24 * time.Hour
	// minFailures is how many failures that takes at least: time without attempts does not count.
	minFailures = 5
	// maxRetryAfter limits the Retry-After of a receiver.
	maxRetryAfter = 24 * time.Hour
	// maxRateLimitDelay limits the backoff after rate-limited attempts without a Retry-After.
	maxRateLimitDelay = time.Minute
)

// retryDelay returns the backoff after a number of consecutive failures, with up to 20 % jitter. It is at least the
// receiver's Retry-After.
func retryDelay(failures int, retryAfter time.Duration) time.Duration {
	step := retrySchedule[min(max(failures, 1), len(retrySchedule))-1]
	step += rand.N(step / 5)
	return max(step, min(retryAfter, maxRetryAfter))
}

// rateLimitDelay returns the backoff after a number of consecutive rate-limited attempts.
func rateLimitDelay(attempts int, retryAfter time.Duration) time.Duration {
	if retryAfter > 0 {
		return min(retryAfter, maxRetryAfter)
	}
	return min(time.Second<<min(attempts, 6), maxRateLimitDelay)
}

// digestHour is the hour at which digests are sent, in the partner's time zone.
const digestHour = 8

// lastDigestTime returns the last time at or before now at which a digest is due.
func lastDigestTime(now time.Time, zone *time.Location, every domain.Digest) time.Time {
	year, month, day := now.In(zone).Date()
	at := time.Date(year, month, day, digestHour, 0, 0, 0, zone)
	for at.After(now) || every == domain.Weekly && at.Weekday() != time.Monday {
		day--
		at = time.Date(year, month, day, digestHour, 0, 0, 0, zone)
	}
	return at
}

// nextDigestTime returns the first time after now at which a digest is due.
func nextDigestTime(now time.Time, zone *time.Location, every domain.Digest) time.Time {
	days := 1
	if every == domain.Weekly {
		days = 7
	}
	last := lastDigestTime(now, zone, every)
	year, month, day := last.Date()
	return time.Date(year, month, day+days, digestHour, 0, 0, 0, zone)
}
