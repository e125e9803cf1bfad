package main

import (
	"context"

	"tandem/bus"
	"tandem/eventlog"
	httpapi "tandem/http"
)

// operations joins the log and the bus to what the operator is served.
type operations struct {
	eventlog.Log
	bus *bus.Bus
}

var _ httpapi.Operations = operations{}

// Owns reports whether this node decides a partition's commands.
func (o operations) Owns(partition eventlog.Partition) bool { return o.bus.Owns(partition) }

// Replay sends a dead letter again.
func (o operations) Replay(ctx context.Context, partition eventlog.Partition, letter eventlog.DeadLetter) (eventlog.CommandID, bus.Result, error) {
	return o.bus.Replay(ctx, partition, letter)
}
