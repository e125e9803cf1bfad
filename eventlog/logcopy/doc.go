// Package logcopy copies an event log into an empty one, from any store to any store.
//
// It works through the contract of package eventlog alone and therefore copies between all adapters.
//
// # Scope
//
// The target gets the same commits, byte for byte, in the same partitions, and the key–value entries, the dead
// letters, the receipts of the last 24 hours and the number of accepted losses of every partition. Outcomes are not
// copied: no caller waits for one while no node runs. A source with waiting commands or an open loss is refused, because
// the copy would leave them behind.
//
// # Exclusive use
//
// [Run] owns all partitions of both logs from before its first read to its end. It refuses a log on which another
// node is alive, and it fails when a node takes a partition away meanwhile. The source is never changed.
//
// # Interruption
//
// Before anything else the target gets a marker, which it loses when everything is verified. Until then
// [CheckFinished] reports the log as unfinished, and no node may serve it. A copy that was interrupted at any point
// continues when Run is called again with the same logs; it neither loses nor doubles anything. Such an error is an
// [ErrUnfinished].
//
// # Verification
//
// At the end Run reads the whole target again, verifies the hash chain of every partition and compares everything
// else with the source.
package logcopy
