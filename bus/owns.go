package bus

import "tandem/eventlog"

// Owns reports whether this node decides the partition's commands now.
func (b *Bus) Owns(p eventlog.Partition) bool {
	o := b.owners[p]
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.running
}
