package main

import (
	"context"

	"tandem/bus"
	"tandem/eventlog"
	httpapi "tandem/http"
)

// operations is the log and the bus, for the requests of the operator.
type operations struct {
	eventlog.Log
	bus *bus.Bus
}

var _ httpapi.Operations = operations{}

// Owns reports whether this node decides the partition's commands.
func (o operations) Owns(partition eventlog.Partition) bool { return o.bus.Owns(partition) }

// Replay submits a dead letter as a new command.
func (o operations) Replay(ctx context.Context, partition eventlog.Partition, letter eventlog.DeadLetter) (eventlog.CommandID, bus.Result, error) {
	return o.bus.Replay(ctx, partition, letter)
}
