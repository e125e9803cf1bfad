//go:build race

package bus_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWatermillReconnect runs the test of this name without the race detector, because the suite itself has
// a data race there (see delayLast).
func TestWatermillReconnect(t *testing.T) {
	said, err := exec.CommandContext(t.Context(), "go", "test", "-race=false", "-count=1", "-timeout=5m", "-run=^TestWatermillReconnect$", ".").CombinedOutput()
	require.NoError(t, err, "%s", said)
}
