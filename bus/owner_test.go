package bus_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

// askewImage tells another end of one partition than it has applied, until it is mended.
type askewImage struct {
	*image
	p     eventlog.Partition
	bend  func(eventlog.Head) eventlog.Head // guarded by image.mu; nil: mended
	asked chan struct{}
}

func (i *askewImage) Head(p eventlog.Partition) eventlog.Head {
	head := i.image.Head(p)
	i.mu.Lock()
	defer i.mu.Unlock()
	if p != i.p || i.bend == nil {
		return head
	}
	select {
	case i.asked <- struct{}{}:
	default:
	}
	return i.bend(head)
}

func TestNothingIsDecidedOnAnImageOfAnotherHistory(t *testing.T) {
	p := eventlog.PartitionOf("agreement/a")
	for name, bend := range map[string]func(eventlog.Head) eventlog.Head{
		"it is ahead":           func(h eventlog.Head) eventlog.Head { h.Seq++; return h },
		"it has another commit": func(h eventlog.Head) eventlog.Head { h.Hash[0]++; return h },
	} {
		t.Run(name, func(t *testing.T) {
			log := eventlogtest.NewMemory()
			n := startNode(t, log)
			n.agree()
			before := n.commits()
			n.stop()

			var askew *askewImage
			n = startNode(t, log, func(c *bus.Config) {
				askew = &askewImage{image: c.Image.(*image), p: p, bend: bend, asked: make(chan struct{})}
				c.Image, c.Shared = askew, true
			})
			done := make(chan error, 1)
			go func() {
				_, err := n.bus.Do(t.Context(), request(nokia, plan("m")))
				done <- err
			}()
			for range 3 { // it begins again and again
				<-askew.asked
			}
			sent, err := log.Receive(t.Context(), eventlog.Topic(p), eventlog.Offset{}, 9)
			require.NoError(t, err)
			require.Len(t, sent, 1, "the command is still in the inbox")
			require.Equal(t, before, n.commits())
			askew.mu.Lock()
			askew.bend = nil
			askew.mu.Unlock()
			require.NoError(t, <-done)
			require.Len(t, n.commits(), len(before)+1)
		})
	}
}
