package bus_test

import (
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

// TestDeadLettersHoldNoPrivateValues: what was to be kept outside the chain is not kept in a dead
// letter, where nobody would erase it. What was to be deleted still is, when it is replayed.
func TestDeadLettersHoldNoPrivateValues(t *testing.T) {
	partition := eventlog.PartitionOf("agreement/a")
	name := base64.StdEncoding.EncodeToString([]byte("Unmistakable Person"))
	envelope := func(private string) string {
		return `{"actor":{"member":"m","role":"manager"},"command":{},"name":"no.such"` + private + `,"requested_at":"2018-03-30T00:00:00Z","today":null}`
	}
	for sent, kept := range map[string]string{
		fmt.Sprintf(`,"private":[{"key":"a","value":%q},{"key":"b","value":null}]`, name): `,"private":[{"key":"b","value":null}]`,
		fmt.Sprintf(`,"private":[{"key":"a","value":%q}]`, name):                          "",
		fmt.Sprintf(`,"private":{"of another version":%q}`, name):                         "",
		"": "",
	} {
		log := eventlogtest.NewMemory()
		node := startNode(t, log)
		require.NoError(t, bus.NewPublisher(log).Publish(eventlog.Topic(partition), message.NewMessage("odd/id", []byte(envelope(sent)))))
		node.activateAgreement() // handled after it
		require.Len(t, node.letters(), 1)
		require.Equal(t, envelope(kept), string(node.letters()[0].Payload))
	}
}
