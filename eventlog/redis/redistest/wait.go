package redistest

import "time"

// Timeout is the time limit of every method. It is generous, so that no test fails on a slow machine.
const Timeout = 2 * time.Minute

// pollEvery is the interval of checks for conditions without a signal.
const pollEvery = 2 * time.Millisecond

// waitUntil waits for a condition. It returns false if the condition does not hold within Timeout.
func waitUntil(met func() bool) bool {
	for end := time.Now().Add(Timeout); ; time.Sleep(pollEvery) {
		if met() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}
