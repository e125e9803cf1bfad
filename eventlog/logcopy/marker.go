package logcopy

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tandem/eventlog"
)

// The marker of an unfinished copy is a value in partition 0 of the target. It is written before anything else and
// deleted when everything is verified.
const (
	markerKey       = "copy"
	markerPartition = eventlog.Partition(0)
)

// marker is the stored form.
type marker struct {
	State string    `json:"state"` // "in progress"
	From  string    `json:"from"`  // the source's name
	Begun time.Time `json:"begun"`
}

// UnfinishedError says that a log is an unfinished copy, which must not be served.
type UnfinishedError struct {
	Source  string // its name
	Started time.Time
}

// Error names the source and the remedy.
func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("this log is an unfinished copy of %s, started at %s: finish it first with the same tandem log copy command",
		printable(e.Source), e.Started.UTC().Format(time.RFC3339))
}

// CheckFinished returns an *UnfinishedError for the target of an unfinished copy.
func CheckFinished(ctx context.Context, log eventlog.Log) error {
	found, err := readMarker(ctx, log)
	if err != nil || found == nil {
		return err
	}
	return &UnfinishedError{Source: found.From, Started: found.Begun}
}

func readMarker(ctx context.Context, log eventlog.Log) (*marker, error) {
	text, err := log.Get(ctx, markerPartition, markerKey)
	if err != nil || text == nil {
		return nil, err
	}
	found := new(marker)
	if err := json.Unmarshal(text, found); err != nil {
		return nil, fmt.Errorf("marker of an unfinished copy: %w: %w", err, eventlog.ErrDamaged)
	}
	return found, nil
}

func (c *copier) mark(ctx context.Context) error {
	text, err := json.Marshal(marker{State: "in progress", From: c.source.Name, Begun: c.started.UTC()})
	if err != nil {
		return err
	}
	return c.putMarker(ctx, text)
}

// unmark makes the target an ordinary log.
func (c *copier) unmark(ctx context.Context) error { return c.putMarker(ctx, nil) }

func (c *copier) putMarker(ctx context.Context, text []byte) error {
	writer, err := c.openPartition(ctx, markerPartition)
	if err != nil {
		return err
	}
	return writer.append(ctx, eventlog.Batch{Puts: []eventlog.KV{{Key: markerKey, Value: text}}})
}
