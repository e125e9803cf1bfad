package redis

import (
	"fmt"
	"strconv"
	"strings"

	"tandem/eventlog"
)

// The keys of a log. All keys of a partition share its hash tag, so that one script reaches them on
// a cluster too.
const (
	nodesKey     = "tandem:nodes"  // hash: a node's name → until when it counts as alive, in ms of the server's clock
	ownersSignal = "tandem:owners" // channel: ownership of a partition changed
)

// keys are those of one partition.
type keys struct {
	meta        string // hash: the end of the chain, the mark, the checkpoint, the owner
	log         string // stream: commits, with the id <seq>-0
	outcomes    string // stream: outcomes, with the id <seq of the head>-<n>
	inbox       string // stream: commands
	records     string // stream: records of commands that came with a client's key
	deadLetters string // stream
	values      string // hash
	mark        string // stream of one entry: up to where the partition is durable
}

func keysOf(p eventlog.Partition) keys {
	at := func(name string) string { return fmt.Sprintf("tandem:{%02d}:%s", p, name) }
	return keys{
		meta: at("meta"), log: at("log"), outcomes: at("outcomes"), inbox: at("inbox"),
		records: at("records"), deadLetters: at("dead-letters"), values: at("values"), mark: at("mark"),
	}
}

func allKeys() (all [eventlog.Partitions]keys) {
	for p := range all {
		all[p] = keysOf(eventlog.Partition(p))
	}
	return all
}

// topicKeys are the keys of a topic that no partition owns.
func topicKeys(topic string) (inbox, checkpoint string) {
	return "tandem:{topic " + topic + "}:inbox", "tandem:{topic " + topic + "}:checkpoint"
}

// partitionOf returns the partition whose commands the topic carries.
func partitionOf(topic string) (eventlog.Partition, bool) {
	number, found := strings.CutPrefix(topic, "commands-")
	n, err := strconv.ParseUint(number, 10, 8)
	if !found || err != nil || n >= eventlog.Partitions || eventlog.Topic(eventlog.Partition(n)) != topic {
		return 0, false
	}
	return eventlog.Partition(n), true
}

// Stream ids are pairs of numbers like offsets: "1700000000000-3".

func formatID(o eventlog.Offset) string {
	return strconv.FormatUint(o[0], 10) + "-" + strconv.FormatUint(o[1], 10)
}

func parseID(id string) (eventlog.Offset, error) {
	first, second, found := strings.Cut(id, "-")
	a, errA := strconv.ParseUint(first, 10, 64)
	b, errB := strconv.ParseUint(second, 10, 64)
	if !found || errA != nil || errB != nil {
		return eventlog.Offset{}, fmt.Errorf("stream id %q: %w", id, eventlog.ErrDamaged)
	}
	return eventlog.Offset{a, b}, nil
}

// next is the smallest id after o.
func next(o eventlog.Offset) eventlog.Offset {
	if o[1]++; o[1] == 0 {
		o[0]++
	}
	return o
}
