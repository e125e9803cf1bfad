package bus_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"tandem/bus"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

func inboxes() map[string]func(*testing.T) eventlog.Inbox {
	return map[string]func(*testing.T) eventlog.Inbox{
		"memory": func(*testing.T) eventlog.Inbox { return eventlogtest.NewMemory() },
	}
}

// TestConformance runs Watermill's suite twice. The first run has many subscribers on a topic and
// closes them in the middle, where a message in flight may come again. The second has one
// subscriber and forbids any repetition.
func TestConformance(t *testing.T) {
	runs := map[string]tests.Features{
		"at least once": {GuaranteedOrder: true, Persistent: true},
		"exactly once":  {GuaranteedOrder: true, Persistent: true, ExactlyOnceDelivery: true, RequireSingleInstance: true},
	}
	for name, open := range inboxes() {
		for run, features := range runs {
			t.Run(name+"/"+run, func(t *testing.T) {
				inbox := open(t)
				construct := func(*testing.T) (message.Publisher, message.Subscriber) {
					return bus.NewPublisher(inbox), bus.NewSubscriber(inbox, bus.AdvanceOnAck, nil)
				}
				tests.TestPubSub(t, features, construct, nil)
			})
		}
	}
}
