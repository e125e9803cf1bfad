package projections

import (
	"fmt"

	"tandem/domain"
	"tandem/eventlog"
)

// decoders is the number of goroutines that decode events or sections of a snapshot. Beside the reader of the
// log and the goroutine that applies, more do not help on two cores.
const decoders = 2

// entryGroup is a group of entries on its way into the store.
type entryGroup struct {
	entries  []eventlog.Entry
	payloads []domain.Payload // of all events of the commits, in order
	err      error            // why the entry after the last remaining one cannot be read
	decoded  chan struct{}
}

// decode decodes the events. From the first unreadable commit on it drops the entries and sets err.
func (g *entryGroup) decode() {
	for n, entry := range g.entries {
		if entry.Commit == nil {
			continue
		}
		for k := range entry.Commit.Events {
			payload, err := domain.DecodeEvent(entry.Commit.Events[k].Type, entry.Commit.Events[k].Data)
			if err != nil {
				g.entries, g.err = g.entries[:n], commitError(entry.Commit, err)
				return
			}
			g.payloads = append(g.payloads, payload)
		}
	}
}

// commitError adds the place of a commit that cannot be applied.
func commitError(commit *eventlog.Commit, err error) error {
	return fmt.Errorf("partition %d, commit %d cannot be applied: %w", commit.Partition, commit.Seq, err)
}
