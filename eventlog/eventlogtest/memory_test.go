package eventlogtest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
	"tandem/eventlog/eventlogtest"
)

func TestMemoryConforms(t *testing.T) {
	eventlogtest.Run(t, func(*testing.T) eventlogtest.Harness {
		log := eventlogtest.NewMemory()
		return eventlogtest.Harness{
			Log:    log,
			Reopen: func(*testing.T) eventlog.Log { log = log.Reopen(); return log },
		}
	})
}

// owned returns a log and a valid batch with one value.
func owned(t *testing.T) (*eventlogtest.Memory, eventlog.Batch) {
	log := eventlogtest.NewMemory()
	t.Cleanup(func() { log.Close() })
	lease, err := log.Own(t.Context(), 1)
	require.NoError(t, err)
	return log, eventlog.Batch{Partition: 1, Fence: lease.Fence(), Puts: []eventlog.KV{{Key: "k", Value: []byte("v")}}}
}

func value(t *testing.T, log *eventlogtest.Memory) string {
	value, err := log.Get(t.Context(), 1, "k")
	require.NoError(t, err)
	return string(value)
}

func TestMemoryFailsBefore(t *testing.T) {
	log, batch := owned(t)
	cause := errors.New("the line is down")
	log.FailBefore(cause)
	require.ErrorIs(t, log.Append(t.Context(), batch), cause)
	require.Empty(t, value(t, log))
	require.NoError(t, log.Append(t.Context(), batch))
	require.Equal(t, "v", value(t, log))
}

func TestMemoryFailsAfter(t *testing.T) {
	log, batch := owned(t)
	cause := errors.New("the line broke")
	log.FailAfter(cause)
	require.ErrorIs(t, log.Append(t.Context(), batch), cause)
	require.Equal(t, "v", value(t, log))
	require.NoError(t, log.Append(t.Context(), batch))
}

func TestMemoryHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, batch := owned(t)
		held := log.Hold()
		done := make(chan error, 1)
		go func() { done <- log.Append(t.Context(), batch) }()
		<-held.Arrived()
		synctest.Wait()
		require.Empty(t, done)
		require.Empty(t, value(t, log))
		held.Release()
		held.Release()
		require.NoError(t, <-done)
		require.Equal(t, "v", value(t, log))
	})
}

func TestMemoryHeldAppendEndsWithItsContext(t *testing.T) {
	log, batch := owned(t)
	held := log.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- log.Append(ctx, batch) }()
	<-held.Arrived()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	held = log.Hold()
	go func() { done <- log.Append(t.Context(), batch) }()
	<-held.Arrived()
	require.NoError(t, log.Close())
	require.ErrorIs(t, <-done, eventlog.ErrStopped)
}

func TestMemoryStops(t *testing.T) {
	log, batch := owned(t)
	cause := errors.New("no space left")
	require.NoError(t, log.Append(t.Context(), batch))
	log.Stop(cause)
	log.Stop(errors.New("a later cause"))
	require.ErrorIs(t, log.Append(t.Context(), batch), eventlog.ErrStopped)
	require.ErrorIs(t, log.Append(t.Context(), batch), cause)
	require.ErrorIs(t, log.Health(), cause)
	_, err := log.Own(t.Context(), 2)
	require.ErrorIs(t, err, eventlog.ErrStopped, "an owner could not append")
	require.Equal(t, "v", value(t, log), "reading goes on")
	again := log.Reopen()
	t.Cleanup(func() { again.Close() })
	require.NoError(t, again.Health())
	require.Equal(t, "v", value(t, again))
}
