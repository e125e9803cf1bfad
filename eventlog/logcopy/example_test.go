package logcopy_test

import (
	"context"
	"fmt"
	"os"

	"tandem/eventlog"
	"tandem/eventlog/logcopy"
	"tandem/eventlog/sqlite"
)

// An embedded log is copied to another directory.
func ExampleRun() {
	ctx := context.Background()
	end := func(dir string) logcopy.End {
		return logcopy.End{Name: dir, Open: func(ctx context.Context) (eventlog.Log, error) {
			return sqlite.Open(ctx, sqlite.Config{Dir: dir})
		}}
	}
	source, target := tempDir(), tempDir()
	defer os.RemoveAll(source)
	defer os.RemoveAll(target)
	appendCommit(ctx, source)

	result, err := logcopy.Run(ctx, logcopy.Config{Source: end(source), Target: end(target)})
	fmt.Println(result.Commits, "commit copied:", err)
	// Output:
	// 1 commit copied: <nil>
}

func tempDir() string {
	dir, err := os.MkdirTemp("", "tandem")
	if err != nil {
		panic(err)
	}
	return dir
}

func appendCommit(ctx context.Context, dir string) {
	log, err := sqlite.Open(ctx, sqlite.Config{Dir: dir})
	if err != nil {
		panic(err)
	}
	defer log.Close()
	lease, err := log.Own(ctx, 1)
	if err != nil {
		panic(err)
	}
	commit := eventlog.Commit{Partition: 1, Stream: "agreement/a", Version: 1}
	commit.Seal(eventlog.Head{})
	if err := log.Append(ctx, eventlog.Batch{Partition: 1, Fence: lease.Fence(), Commits: []eventlog.Commit{commit}}); err != nil {
		panic(err)
	}
}
