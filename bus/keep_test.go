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

func value(t *testing.T, log eventlog.Log, p eventlog.Partition, key string) string {
	t.Helper()
	v, err := log.Get(t.Context(), p, key)
	require.NoError(t, err)
	return string(v)
}

func TestKeepStoresWithoutACommand(t *testing.T) {
	n := startNode(t, eventlogtest.NewMemory())
	require.NoError(t, n.bus.Keep(t.Context(), 7, []eventlog.KV{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}}))
	require.Equal(t, "1", value(t, n.log, 7, "a"))
	require.NoError(t, n.bus.Keep(t.Context(), 7, []eventlog.KV{{Key: "a", Value: []byte("3")}, {Key: "b"}}))
	require.Equal(t, "3", value(t, n.log, 7, "a"))
	require.Empty(t, value(t, n.log, 7, "b"))
	require.NoError(t, n.bus.Keep(t.Context(), 7, nil), "nothing is kept at once")
}

func TestKeepBesideCommands(t *testing.T) {
	n := startNode(t, eventlogtest.NewMemory())
	n.agree()
	p := eventlog.PartitionOf("agreement/" + string(agreement))
	kept := make(chan error)
	go func() {
		for k := range 50 {
			kept <- n.bus.Keep(context.Background(), p, []eventlog.KV{{Key: fmt.Sprint("k", k), Value: []byte{byte(k)}}})
		}
	}()
	for k := range 50 {
		n.do(nokia, plan(milestone(k)))
		require.NoError(t, <-kept)
	}
	entries, err := n.log.Scan(t.Context(), p, "k")
	require.NoError(t, err)
	require.Len(t, entries, 50)
	require.NotEmpty(t, n.commits(), "and the chain holds")
}

func TestKeepIsForTheOwner(t *testing.T) {
	n := startNode(t, eventlogtest.NewMemory())
	<-n.bus.Moved()
	n.stop()
	require.False(t, n.bus.Owns(7))
	require.ErrorIs(t, n.bus.Keep(t.Context(), 7, []eventlog.KV{{Key: "a", Value: []byte("1")}}), bus.ErrNotOwner)
	<-n.bus.Moved()
}

// A failed append is told to those who kept something with it, and the partition goes on.
func TestKeepTellsOfAFailedAppend(t *testing.T) {
	log := eventlogtest.NewMemory()
	n := startNode(t, log)
	log.FailBefore(errors.New("the disk is away"))
	put := []eventlog.KV{{Key: "a", Value: []byte("1")}}
	require.ErrorContains(t, n.bus.Keep(t.Context(), 7, put), "the disk is away")
	for err := bus.ErrNotOwner; err != nil; err = n.bus.Keep(t.Context(), 7, put) {
		require.ErrorIs(t, err, bus.ErrNotOwner)
		if !n.bus.Owns(7) {
			<-n.bus.Moved()
		}
	}
	require.Equal(t, "1", value(t, n.log, 7, "a"))
}
