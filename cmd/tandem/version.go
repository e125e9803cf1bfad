package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// versionText describes the running build.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{GoVersion: runtime.Version()}
	}
	return describeBuild(info)
}

// describeBuild returns the version, the commit, its time and the Go version of a build. Builds without
// version control data, such as those of go run, are development builds.
func describeBuild(info *debug.BuildInfo) string {
	settings := make(map[string]string, len(info.Settings))
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	var out strings.Builder
	version := info.Main.Version
	if version == "" || version == "(devel)" {
		version = "development build"
	}
	fmt.Fprintf(&out, "tandem %s\n", version)
	if commit := settings["vcs.revision"]; commit != "" {
		if settings["vcs.modified"] == "true" {
			commit += " (with uncommitted changes)"
		}
		fmt.Fprintf(&out, "commit:      %s\ncommit time: %s\n", commit, settings["vcs.time"])
	}
	fmt.Fprintf(&out, "go:          %s\n", info.GoVersion)
	return out.String()
}
