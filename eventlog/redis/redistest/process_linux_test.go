package redistest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

const holdServer = "REDISTEST_HOLD"

// TestHold is the program that TestKilledTestLeavesNoServer kills. Without its environment variable it does nothing.
func TestHold(t *testing.T) {
	if os.Getenv(holdServer) != "" {
		fmt.Println(Start(t).Pid())
		select {}
	}
}

func TestKilledTestLeavesNoServer(t *testing.T) {
	t.Parallel()
	test := exec.Command(os.Args[0], "-test.run=^TestHold$")
	test.Env = append(os.Environ(), holdServer+"=1", "TMPDIR="+t.TempDir())
	output, err := test.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, test.Start())
	lines := bufio.NewScanner(output)
	require.True(t, lines.Scan())
	group, err := strconv.Atoi(lines.Text())
	require.NoError(t, err)
	require.True(t, groupRuns(group))

	require.NoError(t, test.Process.Kill())
	_ = test.Wait()
	require.True(t, waitUntil(func() bool { return !groupRuns(group) }))
}
