package webhooks

import (
	"math/rand/v2"
	"time"

	"tandem/domain"
)

// schedule says how long after a failure the next attempt comes: the example of Standard Webhooks. After
// its end it stays at the last step.
var schedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	// patience is how long an endpoint may fail without one success before it is disabled.
	patience = 5 * 24 * time.Hour
	// leastFailures is how many there must be: a time in which nothing was tried is none of failure.
	leastFailures = 5
	// longestWish bounds what a receiver can ask for with Retry-After.
	longestWish = 24 * time.Hour
	// slowest bounds the waiting after an answer that says nothing but that it was too fast.
	slowest = time.Minute
)

// delay returns how long to wait after a number of failures in a row, with up to a fifth more, so that those
// who failed together do not come back together. The receiver's own wish is the least.
func delay(failures int, wish time.Duration) time.Duration {
	step := schedule[min(max(failures, 1), len(schedule))-1]
	step += rand.N(step / 5)
	return max(step, min(wish, longestWish))
}

// slowDown returns how long to wait after a number of answers in a row that the rate was exceeded.
func slowDown(answers int, wish time.Duration) time.Duration {
	if wish > 0 {
		return min(wish, longestWish)
	}
	return min(time.Second<<min(answers, 6), slowest)
}

// digestHour is when digests are sent, in the partner's zone.
const digestHour = 8

// digestTime returns the last time at or before now at which a digest is due.
func digestTime(now time.Time, zone *time.Location, every domain.Digest) time.Time {
	y, m, d := now.In(zone).Date()
	at := time.Date(y, m, d, digestHour, 0, 0, 0, zone)
	for at.After(now) || every == domain.Weekly && at.Weekday() != time.Monday {
		d--
		at = time.Date(y, m, d, digestHour, 0, 0, 0, zone)
	}
	return at
}

// nextDigest returns the first time after now at which a digest is due.
func nextDigest(now time.Time, zone *time.Location, every domain.Digest) time.Time {
	days := 1
	if every == domain.Weekly {
		days = 7
	}
	last := digestTime(now, zone, every)
	y, m, d := last.Date()
	return time.Date(y, m, d+days, digestHour, 0, 0, 0, zone)
}
