// Package renames records the renames of partners in their agreements.
//
// A rename is decided in the partner's directory, and each agreement of the partner lies in a partition of its own. The
// Recorder compares the two and issues the missing commands. It keeps no state: after a crash at any point the next
// comparison finds what is missing, and an agreement refuses a rename that it has recorded.
package renames

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/wakeup"
)

// ReadModel is the part of the read model that a Recorder uses.
type ReadModel interface {
	// PendingRenames returns the renames of the partners of a partition that their agreements have not recorded.
	PendingRenames(partition eventlog.Partition, at time.Time) []domain.RenameParty
}

// Bus is the part of a bus.Bus that a Recorder uses.
type Bus interface {
	Owns(partition eventlog.Partition) bool
	Do(ctx context.Context, request bus.Request) (bus.Result, error)
}

// Config configures a Recorder. All fields but Interval are required.
type Config struct {
	ReadModel ReadModel
	Bus       Bus
	Now       func() time.Time
	Logger    *slog.Logger
	// Interval is the time between two comparisons without a cause, which find the renames whose node has failed.
	// Default: 10 s.
	Interval time.Duration
}

// Recorder issues the commands of the partitions of directories that this node owns.
type Recorder struct {
	cfg    Config
	signal wakeup.Signal
}

// New returns a Recorder. Call Run to start it.
func New(cfg Config) *Recorder {
	if cfg.Interval == 0 {
		cfg.Interval = 10 * time.Second
	}
	return &Recorder{cfg, wakeup.New()}
}

// Applied wakes the recorder if the entries, which the read model has applied, change a partner's profile.
func (r *Recorder) Applied(entries []eventlog.Entry) {
	for _, entry := range entries {
		if entry.Commit == nil {
			continue
		}
		for i := range entry.Commit.Events {
			if strings.HasPrefix(entry.Commit.Events[i].Type, "partner.edited.") {
				r.signal.Notify()
				return
			}
		}
	}
}

// Run records renames until ctx ends, and returns nil.
func (r *Recorder) Run(ctx context.Context) error {
	ticker := time.NewTicker(r.cfg.Interval)
	defer ticker.Stop()
	for {
		for partition := range eventlog.Partitions {
			r.record(ctx, eventlog.Partition(partition))
		}
		select {
		case <-r.signal:
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// commandTimeout limits the wait for one outcome. A command whose outcome is unknown is issued again.
const commandTimeout = 5 * time.Second

func (r *Recorder) record(ctx context.Context, partition eventlog.Partition) {
	if !r.cfg.Bus.Owns(partition) {
		return
	}
	for _, command := range r.cfg.ReadModel.PendingRenames(partition, r.cfg.Now()) {
		if err := r.issue(ctx, command); err != nil && ctx.Err() == nil {
			r.cfg.Logger.Warn("a rename could not be recorded in an agreement; it is tried again",
				"partner", command.Rename.Party, "agreement", command.AgreementID, "error", err)
		}
	}
}

// issue sends the command. A refusal because the agreement has recorded the rename, or its partner has left, is not an
// error.
func (r *Recorder) issue(ctx context.Context, command domain.RenameParty) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	now := r.cfg.Now()
	result, err := r.cfg.Bus.Do(ctx, bus.Request{
		ID: commandID(command), Command: command, Actor: domain.Actor{Member: domain.MemberID(domain.System), Role: domain.System},
		Today: domain.DateOf(now.UTC()), RequestedAt: now,
	})
	if err != nil {
		return err
	}
	if refusal := result.Rejection; refusal != nil && refusal.Kind != domain.NotFound && refusal.Kind != domain.Conflict {
		return fmt.Errorf("refused: %w", errors.New(refusal.Detail))
	}
	return nil
}

// commandID derives the id from the rename and the agreement, so that all nodes issue the same command.
func commandID(command domain.RenameParty) (id eventlog.CommandID) {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		"rename", string(command.AgreementID), string(command.Rename.Party), strconv.Itoa(command.Rename.Number),
	}, "/")))
	copy(id[:], sum[:])
	return id
}
