package sqlite

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config says where a log is and how it behaves.
type Config struct {
	// Dir is the data directory. It is made if it does not exist; its parent must.
	Dir string
	// Logger gets warnings; nil drops them.
	Logger *slog.Logger
	// KeepReceipts is how long records are kept at least; zero means 25 hours, and less than 24
	// hours is refused.
	KeepReceipts time.Duration
	// Now tells the age of records; nil means time.Now.
	Now func() time.Time

	limits limits
}

// limits bound what the log holds in memory and in its write-ahead file. Tests shrink them.
type limits struct {
	groupCommits    int // commits in one transaction
	groupBytes      int // bytes of their frames
	tailCommits     int // commits kept for followers that are behind
	tailBytes       int // bytes of their frames
	tailOutcomes    int // outcomes kept for followers that are behind
	pageCommits     int // commits that a follower reads from the file at once
	pageBytes       int // bytes of their frames after which a page ends
	walBytes        int // written since the last checkpoint, before the next
	walFrames       int // pages in the write-ahead file, before readers have to wait
	trimEvery       int // groups with records between two trims
	readers         int // connections for reading
	locationCommits int // commits per row of table locations; part of the file's format
	receiptRows     int // rows of records read at once
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.KeepReceipts == 0 {
		c.KeepReceipts = 25 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.limits == (limits{}) {
		c.limits = defaultLimits()
	}
	return c
}

func defaultLimits() limits {
	return limits{
		groupCommits: 4096, groupBytes: 8 << 20,
		tailCommits: 16384, tailBytes: 32 << 20, tailOutcomes: 65536,
		pageCommits: 512, pageBytes: 4 << 20,
		walBytes: 1 << 20, walFrames: 2048,
		trimEvery: 256, readers: 4, locationCommits: 4096, receiptRows: 500,
	}
}

// Validate returns every fault of the configuration.
func (c Config) Validate() error {
	var faults []error
	if c.Dir == "" {
		faults = append(faults, errors.New("sqlite log: no data directory is given"))
	}
	if c.KeepReceipts != 0 && c.KeepReceipts < 24*time.Hour {
		faults = append(faults, fmt.Errorf("sqlite log: records must be kept for 24 hours or more, not %s", c.KeepReceipts))
	}
	return errors.Join(faults...)
}
