package wakeup_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/wakeup"
)

func pending(signal wakeup.Signal) bool {
	select {
	case <-signal:
		return true
	default:
		return false
	}
}

func TestSignal(t *testing.T) {
	signal := wakeup.New()
	require.False(t, pending(signal), "a new signal is not pending")
	for range 3 {
		signal.Notify()
	}
	require.True(t, pending(signal))
	require.False(t, pending(signal), "calls before the receiver looks are one signal")
	signal.Notify()
	require.True(t, pending(signal), "a signal after the receiver looked is another one")
}

func ExampleSignal() {
	work := make(chan int, 2) // stands for a queue behind a lock
	signal := wakeup.New()
	for i := range 2 {
		work <- i
		signal.Notify()
	}
	<-signal
	fmt.Println(len(work), "items for one signal")
	// Output: 2 items for one signal
}
