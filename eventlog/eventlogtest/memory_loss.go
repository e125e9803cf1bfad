package eventlogtest

import (
	"cmp"
	"context"
	"fmt"

	"tandem/eventlog"
)

// ReportLoss records the loss and ends the partition's lease and every Follow.
func (m *Memory) ReportLoss(ctx context.Context, loss eventlog.LostTailError) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.checkOpen(ctx), m.appendError()); err != nil {
		return err
	}
	stored := &m.store.partitions[loss.Partition]
	if stored.loss != nil && stored.loss.Known.Seq >= loss.Known.Seq {
		return nil
	}
	stored.loss = &loss
	m.store.reported = append(m.store.reported, loss)
	m.endLease(loss.Partition, m.owners[loss.Partition])
	m.store.arrived.fire()
	return nil
}

// Losses returns the open losses and the epochs.
func (m *Memory) Losses(ctx context.Context) (eventlog.Losses, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found eventlog.Losses
	for i := range m.store.partitions {
		stored := &m.store.partitions[i]
		found.Epochs[i] = stored.epoch
		if stored.loss != nil {
			found.Open = append(found.Open, *stored.loss)
		}
	}
	return found, m.checkOpen(ctx)
}

// AcceptLoss deletes the report, so that the partition can have an owner again.
func (m *Memory) AcceptLoss(ctx context.Context, partition eventlog.Partition) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := cmp.Or(m.checkOpen(ctx), m.appendError()); err != nil {
		return err
	}
	stored := &m.store.partitions[partition]
	if stored.loss == nil {
		return fmt.Errorf("partition %d has no open loss", partition)
	}
	stored.loss = nil
	stored.epoch++
	m.ownerChanged[partition].fire()
	return nil
}

// memoryNode is the node name of every Memory.
const memoryNode = "memory"

// Status describes the log at one time.
func (m *Memory) Status(ctx context.Context) (eventlog.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := eventlog.Status{Kind: "memory", Location: "memory", Durability: "none", Nodes: []string{memoryNode}}
	for i := range found.Partitions {
		partition, stored := eventlog.Partition(i), &m.store.partitions[i]
		found.Partitions[i] = eventlog.PartitionStatus{
			Head: stored.head(), Durable: stored.head().Seq, Fence: stored.fence,
			Waiting: uint64(len(m.topic(eventlog.Topic(partition)).messages)), DeadLetters: uint64(len(stored.deadLetters)),
			Epoch: stored.epoch, OpenLoss: stored.loss,
		}
		if m.owners[i] != nil {
			found.Partitions[i].Owner = memoryNode
		}
	}
	return found, m.checkOpen(ctx)
}
