package webhooks

import (
	"math/rand/v2"
	"time"

	"tandem/domain"
)

// retrySchedule says how long after a failure the next attempt comes: the example of Standard Webhooks. After
// its end it stays at the last step.
var retrySchedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	// disableAfter is how long an endpoint may fail without one success before it is disabled.
	disableAfter = 5 * 24 * time.Hour
	// minFailures is how many there must be: a time in which nothing was tried is none of failure.
	minFailures = 5
	// maxRetryAfter bounds what a receiver can ask for with Retry-After.
	maxRetryAfter = 24 * time.Hour
	// maxRateLimitDelay bounds the waiting after an answer that says nothing but that it was too fast.
	maxRateLimitDelay = time.Minute
)

// retryDelay returns how long to wait after a number of failures in a row, with up to a fifth more, so that those
// who failed together do not come back together. The receiver's own wish is the least.
func retryDelay(failures int, wish time.Duration) time.Duration {
	step := retrySchedule[min(max(failures, 1), len(retrySchedule))-1]
	step += rand.N(step / 5)
	return max(step, min(wish, maxRetryAfter))
}

// rateLimitDelay returns how long to wait after a number of answers in a row that the rate was exceeded.
func rateLimitDelay(answers int, wish time.Duration) time.Duration {
	if wish > 0 {
		return min(wish, maxRetryAfter)
	}
	return min(time.Second<<min(answers, 6), maxRateLimitDelay)
}

// digestHour is when digests are sent, in the partner's zone.
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
