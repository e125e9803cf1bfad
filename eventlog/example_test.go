package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

// A process owns a partition, appends a commit to it and reads the commit back.
func Example() {
	ctx, log := context.Background(), eventlogtest.NewMemory()
	defer log.Close()
	partition := eventlog.PartitionOf("agreement/nokia-xiaomi-2017")
	lease, err := log.Own(ctx, partition)
	if err != nil {
		panic(err)
	}
	head, err := log.Head(ctx, partition)
	if err != nil {
		panic(err)
	}
	commit := eventlog.Commit{
		Partition: partition, Stream: "agreement/nokia-xiaomi-2017", Version: 1, Actor: "mei", Partner: "xiaomi",
		RecordedAt: time.Date(2017, 7, 5, 8, 30, 0, 0, time.UTC),
		Events:     []eventlog.Event{{Type: "agreement.signed.v1", Audience: "shared", Data: []byte(`{"partner":"xiaomi"}`)}},
	}
	commit.Seal(head)
	batch := eventlog.Batch{Partition: partition, Fence: lease.Fence(), Head: head, Commits: []eventlog.Commit{commit}}
	if err := log.Append(ctx, batch); err != nil {
		panic(err)
	}
	commits, err := log.Read(ctx, partition, []uint64{1})
	if err != nil {
		panic(err)
	}
	fmt.Println(commits[0].Seq, commits[0].Events[0].Type, commits[0].Verify(head))

	err = log.Append(ctx, batch) // the head has moved
	fmt.Println(errors.Is(err, eventlog.ErrConflict))
	// Output:
	// 1 agreement.signed.v1 <nil>
	// true
}

// A follower handles the stored commits and then new ones, until its handler returns an error.
func ExampleLog_follow() {
	ctx, log := context.Background(), eventlogtest.NewMemory()
	defer log.Close()
	lease, err := log.Own(ctx, 9)
	if err != nil {
		panic(err)
	}
	var head eventlog.Head
	for version := uint64(1); version <= 3; version++ {
		commit := eventlog.Commit{Partition: 9, Stream: "agreement/a", Version: version}
		commit.Seal(head)
		batch := eventlog.Batch{Partition: 9, Fence: lease.Fence(), Head: head, Commits: []eventlog.Commit{commit}}
		if err := log.Append(ctx, batch); err != nil {
			panic(err)
		}
		head = commit.Head()
	}

	errDone := errors.New("handled all commits")
	err = log.Follow(ctx, eventlog.Positions{}, func(entries []eventlog.Entry) error {
		for _, entry := range entries {
			fmt.Println(entry.Commit.Stream, entry.Commit.Version)
			if entry.Commit.Head() == head {
				return errDone
			}
		}
		return nil
	}, nil)
	fmt.Println(err)
	// Output:
	// agreement/a 1
	// agreement/a 2
	// agreement/a 3
	// handled all commits
}

// A reader that remembers more commits than the log has gets a LostTailError for each partition.
func ExampleLostTails() {
	ctx, log := context.Background(), eventlogtest.NewMemory()
	defer log.Close()
	var remembered eventlog.Positions
	remembered[9] = eventlog.Head{Seq: 4}
	err := log.Follow(ctx, remembered, func([]eventlog.Entry) error { return nil }, nil)
	for _, lost := range eventlog.LostTails(err) {
		fmt.Println(lost)
	}
	// Output:
	// partition 9 lost commits 1 to 4: they were seen before and are gone
}
