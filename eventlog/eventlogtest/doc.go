// Package eventlogtest has the conformance suite of package eventlog and a log in memory for tests.
//
// # Conformance suite
//
// Every adapter calls [Run] from an ordinary test. [Memory] does so too, and therefore behaves like the others:
//
//	func TestConformance(t *testing.T) {
//		eventlogtest.Run(t, func(t *testing.T) eventlogtest.Harness { ... })
//	}
//
// The suite waits for signals. Where it checks that a call blocks, it ends the call with a short deadline; on a slow
// machine the call only blocks longer, so that the check cannot fail.
//
// # Log in memory
//
// [Memory] is a complete log without goroutines. It works inside a testing/synctest bubble. Its Fail, Hold and Stop
// methods let appends fail, wait or be refused as a disk would.
package eventlogtest
