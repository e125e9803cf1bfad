package redis

import (
	"fmt"
	"strconv"
	"strings"

	"tandem/eventlog"
)

// Keys of a log. All keys of a partition share a hash tag, so that one script reaches them on a cluster.
const (
	nodesKey     = "tandem:nodes"  // hash: node name → end of its lease, in ms of the server's clock
	ownersSignal = "tandem:owners" // channel: a partition was released
)

// partitionKeys are the keys of a partition.
type partitionKeys struct {
	meta        string // hash: head, durable mark, checkpoint, owner
	log         string // stream: commits, with id <seq>-0
	outcomes    string // stream: outcomes, with id <seq of the head>-<n>
	commands    string // stream
	receipts    string // stream: receipts
	deadLetters string // stream
	values      string // hash
	mark        string // stream with one entry: the durable mark
}

func keysOf(partition eventlog.Partition) partitionKeys {
	at := func(name string) string { return fmt.Sprintf("tandem:{%02d}:%s", partition, name) }
	return partitionKeys{
		meta: at("meta"), log: at("log"), outcomes: at("outcomes"), commands: at("inbox"),
		receipts: at("records"), deadLetters: at("dead-letters"), values: at("values"), mark: at("mark"),
	}
}

func allKeys() (all [eventlog.Partitions]partitionKeys) {
	for partition := range all {
		all[partition] = keysOf(eventlog.Partition(partition))
	}
	return all
}

// topicKeys returns the keys of a topic that belongs to no partition.
func topicKeys(topic string) (queue, checkpoint string) {
	return "tandem:{topic " + topic + "}:inbox", "tandem:{topic " + topic + "}:checkpoint"
}

// partitionOf returns the partition to which the topic belongs.
func partitionOf(topic string) (eventlog.Partition, bool) {
	number, found := strings.CutPrefix(topic, "commands-")
	partition, err := strconv.ParseUint(number, 10, 8)
	if !found || err != nil || partition >= eventlog.Partitions || eventlog.Topic(eventlog.Partition(partition)) != topic {
		return 0, false
	}
	return eventlog.Partition(partition), true
}

// Stream ids are pairs of numbers, like offsets: "1700000000000-3".

func formatID(offset eventlog.Offset) string {
	return strconv.FormatUint(offset[0], 10) + "-" + strconv.FormatUint(offset[1], 10)
}

func parseID(id string) (eventlog.Offset, error) {
	first, second, found := strings.Cut(id, "-")
	major, majorErr := strconv.ParseUint(first, 10, 64)
	minor, minorErr := strconv.ParseUint(second, 10, 64)
	if !found || majorErr != nil || minorErr != nil {
		return eventlog.Offset{}, fmt.Errorf("stream id %q: %w", id, eventlog.ErrDamaged)
	}
	return eventlog.Offset{major, minor}, nil
}

// nextID returns the smallest id after the offset.
func nextID(offset eventlog.Offset) eventlog.Offset {
	if offset[1]++; offset[1] == 0 {
		offset[0]++
	}
	return offset
}
