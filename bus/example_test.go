package bus_test

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"tandem/bus"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

// The owner of a topic opens the gate at its checkpoint. Messages of the topic follow one at a time, each
// after the ack of the previous one.
func ExampleSubscriber() {
	queue := eventlogtest.NewMemory()
	publisher := bus.NewPublisher(queue)
	subscriber := bus.NewSubscriber(queue, bus.AdvanceOnAppend, nil)
	messages, err := subscriber.Subscribe(context.Background(), "topic")
	if err != nil {
		fmt.Println(err)
		return
	}
	err = publisher.Publish("topic", message.NewMessage("first", nil), message.NewMessage("second", nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	current := subscriber.Resume("topic", eventlog.Offset{})
	for range 2 {
		msg := <-messages
		if _, generation := bus.Origin(msg); generation == current {
			fmt.Println(msg.UUID)
		}
		msg.Ack()
	}
	fmt.Println(subscriber.Close())
	// Output:
	// first
	// second
	// <nil>
}

// The summary shows where decoding failed, without any value of the payload.
func ExampleSummarizeDeadLetter() {
	summary := bus.SummarizeDeadLetter(eventlog.DeadLetter{
		Payload: []byte(`{"name":"milestone.comment","command":{"text":7},"actor":{"partner":"nokia","member":"pm","role":"manager"},` +
			`"requested_at":"2018-03-30T07:00:00Z"}`),
		Reason: `cannot read 7 as text within "/command/text"`,
	})
	fmt.Println(summary.Name, "by", summary.Member, "of", summary.Partner)
	fmt.Println(summary.Reason)
	// Output:
	// milestone.comment by pm of nokia
	// cannot read … as text within "/command/text"
}
