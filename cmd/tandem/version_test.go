package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDescribeBuild(t *testing.T) {
	released := []debug.BuildSetting{{Key: "vcs.revision", Value: "0a1b2c"}, {Key: "vcs.time", Value: "2026-11-30T12:00:00Z"}, {Key: "vcs.modified", Value: "false"}}
	modified := append(released[:2:2], debug.BuildSetting{Key: "vcs.modified", Value: "true"})
	for name, tc := range map[string]struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		"a release":              {"v1.2.3", released, "tandem v1.2.3\ncommit:      0a1b2c\ncommit time: 2026-11-30T12:00:00Z\ngo:          go1.26.8\n"},
		"uncommitted changes":    {"v1.2.3+dirty", modified, "tandem v1.2.3+dirty\ncommit:      0a1b2c (with uncommitted changes)\ncommit time: 2026-11-30T12:00:00Z\ngo:          go1.26.8\n"},
		"go run":                 {"(devel)", nil, "tandem development build\ngo:          go1.26.8\n"},
		"without any build info": {"", nil, "tandem development build\ngo:          go1.26.8\n"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, describeBuild(&debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: tc.version}, Settings: tc.settings}))
		})
	}
}

// TestVersion runs the program of the tests, which go test builds without version control data.
func TestVersion(t *testing.T) {
	require.Equal(t, programResult{"tandem development build\ngo:          " + runtime.Version() + "\n", "", exitOK}, runProgram(t, nil, "version"))
}

// TestVersionOfARepository builds the program as a release is built, in a clone.
func TestVersionOfARepository(t *testing.T) {
	if info, err := os.Stat("../../.git"); err != nil || !info.IsDir() {
		t.Skip("not in a clone, so builds have no version control data")
	}
	binary := filepath.Join(t.TempDir(), "tandem")
	output := func(name string, args ...string) string {
		text, err := exec.CommandContext(t.Context(), name, args...).Output()
		require.NoError(t, err)
		return string(text)
	}
	output("go", "build", "-buildvcs=true", "-o", binary, ".")
	version := output(binary, "version")
	require.Contains(t, version, "commit:      "+strings.TrimSpace(output("git", "rev-parse", "HEAD")))
	require.Regexp(t, `\ncommit time: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n`, version)
	require.NotContains(t, version, "development build")
}
