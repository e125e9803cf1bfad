package sqlite

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config configures a log.
type Config struct {
	// Dir is the data directory. Open creates it if its parent exists.
	Dir string
	// Logger receives warnings; nil discards them.
	Logger *slog.Logger
	// KeepReceipts is the minimum age at which receipts are deleted. Zero means 25 hours; less than 24 hours is
	// invalid.
	KeepReceipts time.Duration
	// Now is the clock for the age of receipts; nil means time.Now.
	Now func() time.Time

	limits limits
}

// limits bound the memory and the write-ahead file. Tests reduce them.
type limits struct {
	groupCommits    int // commits in one transaction
	groupBytes      int // size of their frames
	tailCommits     int // commits kept for followers that are behind
	tailBytes       int // size of their frames
	tailOutcomes    int // outcomes kept for followers that are behind
	pageCommits     int // commits in one page that a follower reads from the file
	pageBytes       int // size of frames at which a page ends
	walBytes        int // bytes written between two checkpoints of the file
	walFrames       int // pages in the write-ahead file at which a checkpoint blocks readers
	trimEvery       int // groups with receipts between two trims
	readers         int // read connections
	locationCommits int // commits per row of table locations; part of the file format
	receiptRows     int // rows of table records read at once
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

// Validate returns all errors of the configuration, joined.
func (c Config) Validate() error {
	var faults []error
	if c.Dir == "" {
		faults = append(faults, errors.New("sqlite log: data directory: it is missing"))
	}
	if c.KeepReceipts != 0 && c.KeepReceipts < 24*time.Hour {
		faults = append(faults, fmt.Errorf("sqlite log: receipts: keep them for at least 24 hours, not %s", c.KeepReceipts))
	}
	return errors.Join(faults...)
}
