package bus

import "tandem/eventlog"

// Owns reports whether this node decides the partition's commands at present.
func (b *Bus) Owns(partition eventlog.Partition) bool {
	owner := b.owners[partition]
	owner.mu.Lock()
	defer owner.mu.Unlock()
	return owner.running
}

// OwnershipChanged returns a channel that receives a signal after this node has acquired or released
// partitions; several changes may share one signal. Every call returns the same channel. It has one
// reader, which then calls Owns.
func (b *Bus) OwnershipChanged() <-chan struct{} { return b.ownershipChanged }
