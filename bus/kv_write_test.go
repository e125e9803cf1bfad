package bus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

func value(t *testing.T, log eventlog.Log, partition eventlog.Partition, key string) string {
	t.Helper()
	content, err := log.Get(t.Context(), partition, key)
	require.NoError(t, err)
	return string(content)
}

func TestPutKVWithoutCommands(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	require.NoError(t, node.bus.PutKV(t.Context(), 7, []eventlog.KV{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}}))
	require.Equal(t, "1", value(t, node.log, 7, "a"))
	require.NoError(t, node.bus.PutKV(t.Context(), 7, []eventlog.KV{{Key: "a", Value: []byte("3")}, {Key: "b"}}))
	require.Equal(t, "3", value(t, node.log, 7, "a"))
	require.Empty(t, value(t, node.log, 7, "b"))
	require.NoError(t, node.bus.PutKV(t.Context(), 7, nil), "no entries, no append")
}

func TestPutKVBesideCommands(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	node.activateAgreement()
	partition := eventlog.PartitionOf("agreement/" + string(agreement))
	kept := make(chan error)
	go func() {
		for k := range 50 {
			kept <- node.bus.PutKV(context.Background(), partition, []eventlog.KV{{Key: fmt.Sprint("k", k), Value: []byte{byte(k)}}})
		}
	}()
	for k := range 50 {
		node.do(nokia, plan(milestone(k)))
		require.NoError(t, <-kept)
	}
	entries, err := node.log.Scan(t.Context(), partition, "k")
	require.NoError(t, err)
	require.Len(t, entries, 50)
	require.NotEmpty(t, node.commits(), "the commits between the entries form a chain")
}

func TestPutKVRequiresOwnership(t *testing.T) {
	node := startNode(t, eventlogtest.NewMemory())
	<-node.bus.OwnershipChanged()
	node.stop()
	require.False(t, node.bus.Owns(7))
	require.ErrorIs(t, node.bus.PutKV(t.Context(), 7, []eventlog.KV{{Key: "a", Value: []byte("1")}}), bus.ErrNotOwner)
	<-node.bus.OwnershipChanged()
}

// PutKV returns the error of its append, and the partition recovers.
func TestPutKVReturnsAnAppendError(t *testing.T) {
	log := eventlogtest.NewMemory()
	node := startNode(t, log)
	log.FailBefore(errors.New("the disk is unavailable"))
	put := []eventlog.KV{{Key: "a", Value: []byte("1")}}
	require.ErrorContains(t, node.bus.PutKV(t.Context(), 7, put), "the disk is unavailable")
	for err := bus.ErrNotOwner; err != nil; err = node.bus.PutKV(t.Context(), 7, put) {
		require.ErrorIs(t, err, bus.ErrNotOwner)
		if !node.bus.Owns(7) {
			<-node.bus.OwnershipChanged()
		}
	}
	require.Equal(t, "1", value(t, node.log, 7, "a"))
}
