package bus

import "tandem/eventlog"

// Owns reports whether this node decides the partition's commands now.
func (b *Bus) Owns(partition eventlog.Partition) bool {
	owner := b.owners[partition]
	owner.mu.Lock()
	defer owner.mu.Unlock()
	return owner.running
}
