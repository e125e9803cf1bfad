package redistest

import "time"

// Timeout is how long a verb waits for what it promises before it fails the test. It is generous: a
// slow machine must not fail a test.
const Timeout = 30 * time.Second

// pollEvery is the pause between two looks at something that nobody tells of.
const pollEvery = 2 * time.Millisecond

// waitUntil waits for a condition and tells whether it came true.
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
