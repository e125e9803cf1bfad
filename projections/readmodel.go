package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tandem/eventlog"
	"tandem/eventlog/wakeup"
	"tandem/projections/sentences"
)

// Config configures a ReadModel. Log, Now and Logger are required.
type Config struct {
	Log     Log
	Dir     string // directory of the snapshot and the seen heads; empty: neither is written
	BaseURL string // prefix of the url fields, such as "http://127.0.0.1:8080", without a slash at the end
	Now     func() time.Time
	Logger  *slog.Logger
	// Applied is called on the follower's goroutine after each group of entries was applied, in order, also
	// during the replay. It must not keep the slice. It may be nil.
	Applied func([]eventlog.Entry)
	// SnapshotEvery is the number of commits between background snapshots; 0 means 200,000.
	SnapshotEvery int
}

const defaultSnapshotEvery = 200_000

func (c Config) validate() error {
	var errs []error
	for name, missing := range map[string]bool{"Log": c.Log == nil, "Now": c.Now == nil, "Logger": c.Logger == nil} {
		if missing {
			errs = append(errs, fmt.Errorf("projections: Config.%s is missing", name))
		}
	}
	return errors.Join(errs...)
}

// ReadModel holds the state of a node and renders it for each partner. All methods are safe for concurrent use. Most come from its
// parts, each of which has one responsibility.
type ReadModel struct {
	*present    // the current entities
	*lifecycle  // replaying, live or halted
	*losses     // lost history
	*headWaits  // waiting for commits
	*tokenIndex // authentication
	*memberNames
	*profiles // names and addresses of members
	*views    // views on the present
	*events   // single events and past states
	*pages    // rendered views
	follower  *follower
}

// New returns an empty read model. Run fills it.
func New(cfg Config) (*ReadModel, error) {
	if cfg.SnapshotEvery == 0 {
		cfg.SnapshotEvery = defaultSnapshotEvery
	}
	book, bookErr := sentences.New()
	format, formatErr := newSnapshotFormat()
	if err := errors.Join(cfg.validate(), bookErr, formatErr); err != nil {
		return nil, err
	}
	tokens, names := newTokenIndex(), &memberNames{}
	model := &ReadModel{
		present: &present{store: newStore(tokens, names)}, lifecycle: newLifecycle(), losses: &losses{}, tokenIndex: tokens, memberNames: names,
		profiles: &profiles{cfg.Log},
	}
	model.headWaits = &headWaits{present: model.present, lifecycle: model.lifecycle, losses: model.losses, log: cfg.Log}
	model.views = &views{present: model.present, lifecycle: model.lifecycle, now: cfg.Now, baseURL: cfg.BaseURL, book: book}
	model.events = &events{views: model.views, log: cfg.Log, book: book}
	model.pages = &pages{cache: newPageCache(), views: model.views, losses: model.losses}
	seen := &seenHeads{
		dir: cfg.Dir, logger: cfg.Logger, present: model.present, lifecycle: model.lifecycle, changed: wakeup.New(),
	}
	model.follower = &follower{
		log: cfg.Log, logger: cfg.Logger, applied: cfg.Applied, present: model.present, lifecycle: model.lifecycle, waits: model.headWaits, seen: seen,
		names: &nameReader{log: cfg.Log, names: names, onFailure: func(err error) {
			cfg.Logger.Warn("the name of a member cannot be read; the read is repeated", "error", err)
		}},
		losses: &lossHandler{log: cfg.Log, logger: cfg.Logger, present: model.present, losses: model.losses, waits: model.headWaits},
		snapshots: &snapshotWriter{
			dir: cfg.Dir, every: cfg.SnapshotEvery, logger: cfg.Logger, format: format,
			present: model.present, lifecycle: model.lifecycle, tokens: tokens, names: names,
		},
	}
	return model, nil
}

// Run restores the snapshot, replays the commits after it and follows the log until ctx ends; then it writes
// a snapshot and returns nil. A partition that has lost commits is halted while the others go on; see
// OpenLosses. Run returns an error when an event cannot be read or the log fails, and ErrEpoch when the
// operator has accepted a loss: a new ReadModel is needed then. Run may be called once.
func (m *ReadModel) Run(ctx context.Context) error { return m.follower.run(ctx) }
