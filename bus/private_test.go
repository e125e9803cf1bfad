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

// Dead letters contain no private values, because an erasure does not reach them. They retain deletions,
// which a replay carries out.
func TestDeadLettersContainNoPrivateValues(t *testing.T) {
	partition := eventlog.PartitionOf("agreement/a")
	name := base64.StdEncoding.EncodeToString([]byte("Unmistakable Person"))
	envelope := func(private string) string {
		return `{"actor":{"member":"m","role":"manager"},"command":{},"name":"no.such"` + private + `,"requested_at":"2018-03-30T00:00:00Z","today":null}`
	}
	for label, tc := range map[string]struct{ sent, kept string }{
		"a value and a deletion": {
			fmt.Sprintf(`,"private":[{"key":"a","value":%q},{"key":"b","value":null}]`, name), `,"private":[{"key":"b","value":null}]`,
		},
		"a value":       {fmt.Sprintf(`,"private":[{"key":"a","value":%q}]`, name), ""},
		"another shape": {fmt.Sprintf(`,"private":{"of another version":%q}`, name), ""},
		"none":          {"", ""},
	} {
		t.Run(label, func(t *testing.T) {
			log := eventlogtest.NewMemory()
			node := startNode(t, log)
			require.NoError(t, bus.NewPublisher(log).Publish(eventlog.Topic(partition), message.NewMessage("odd/id", []byte(envelope(tc.sent)))))
			node.activateAgreement() // its commands are handled after the unreadable message
			require.Len(t, node.letters(), 1)
			require.Equal(t, envelope(tc.kept), string(node.letters()[0].Payload))
		})
	}
}
