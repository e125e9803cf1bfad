//go:build race

package bus_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWatermillReconnect runs the test of this name in a program without the race detector: what the
// suite does there is a race of its own (see lastLate).
func TestWatermillReconnect(t *testing.T) {
	said, err := exec.CommandContext(t.Context(), "go", "test", "-race=false", "-count=1", "-timeout=5m", "-run=^TestWatermillReconnect$", ".").CombinedOutput()
	require.NoError(t, err, "%s", said)
}
