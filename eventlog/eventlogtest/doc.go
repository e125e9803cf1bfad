// Package eventlogtest proves that an adapter keeps the promises of package eventlog, and offers
// a log in memory for the tests of other rooms.
//
// # Suite
//
// [Run] is the conformance suite. Every adapter runs it from an ordinary test and so does
// [Memory], which therefore cannot drift from the real ones:
//
//	func TestConformance(t *testing.T) {
//		eventlogtest.Run(t, func(t *testing.T) eventlogtest.Harness { ... })
//	}
//
// The suite waits for signals and never for a length of time, except where it shows that
// something waits: there a short deadline ends the waiting, and a slow machine cannot fail it.
//
// # Double
//
// [Memory] keeps a whole log in memory, works inside a testing/synctest bubble, starts no
// goroutine, and can be told to fail, hold or refuse appends as a disk would.
package eventlogtest
