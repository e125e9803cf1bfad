package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tandem/eventlog"
	"tandem/eventlog/redis"
	"tandem/eventlog/sqlite"
)

// logEnd is one of the two logs of a copy.
type logEnd struct {
	flag  string // "from" or "to"
	name  string // for people: sqlite:DIR, or the server's address without its password
	dir   string // of an embedded log; empty: Redis
	redis redis.Config

	log    openedLog
	leases [eventlog.Partitions]eventlog.Lease
}

func (e *logEnd) path(name string) string { return filepath.Join(e.dir, name) }

// has reports whether the data directory has a file of that name.
func (e *logEnd) has(name string) bool {
	if e.dir == "" {
		return false
	}
	_, err := os.Stat(e.path(name))
	return err == nil
}

// openKnown opens a log that is there. An embedded one is not made.
func (e *logEnd) openKnown(ctx context.Context, logger *slog.Logger) error {
	if e.dir != "" && !e.has(sqlite.FileName) {
		return fmt.Errorf("%s has no log: %s is not there", e.name, e.path(sqlite.FileName))
	}
	return e.open(ctx, logger)
}

func (e *logEnd) open(ctx context.Context, logger *slog.Logger) error {
	if e.dir != "" {
		log, err := sqlite.Open(ctx, sqlite.Config{Dir: e.dir, Logger: logger})
		if err != nil {
			return err
		}
		e.log = openedLog{Log: log}
		return nil
	}
	e.redis.Logger = logger
	log, err := redis.Open(ctx, e.redis)
	if err != nil {
		return err
	}
	e.log = openedLog{Log: log, shared: log}
	status, err := log.Status(ctx)
	e.name = status.Location
	return err
}

func (e *logEnd) close() error {
	if e.log.Log == nil {
		return nil
	}
	return e.log.Close()
}

// How long other nodes and their leases are waited for. A node that was killed counts as alive for
// some 1.5 s.
const (
	nodesPatience = 3 * time.Second
	ownPatience   = 5 * time.Second
)

// take makes this process the owner of all partitions that it does not own yet. It refuses while
// another node is alive: the two would share them.
func (e *logEnd) take(ctx context.Context) error {
	if err := e.awaitAlone(ctx); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, ownPatience)
	defer cancel()
	var all sync.WaitGroup
	var errs [eventlog.Partitions]error
	for partition := range e.leases {
		if e.leases[partition] == nil {
			all.Go(func() { e.leases[partition], errs[partition] = e.log.Own(limited, eventlog.Partition(partition)) })
		}
	}
	all.Wait()
	if err := errors.Join(ctx.Err(), e.alone(ctx)); err != nil {
		return err
	}
	missing, first := 0, error(nil)
	for partition, err := range errs {
		if err != nil {
			e.leases[partition] = nil
			missing, first = missing+1, cmp.Or(first, err)
		}
	}
	if missing > 0 {
		return fmt.Errorf("%s: %d of %d partitions could not be taken, although no other node is alive. Is this machine's clock that of the server? (%w)",
			e.name, missing, eventlog.Partitions, first)
	}
	return nil
}

// awaitAlone gives nodes that are ending, or were killed, the time to go.
func (e *logEnd) awaitAlone(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, nodesPatience)
	defer cancel()
	for {
		err := e.alone(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-limited.Done():
			return err
		}
	}
}

// alone returns an error that names the other nodes that are alive. An embedded log has a lock for that.
func (e *logEnd) alone(ctx context.Context) error {
	if e.dir != "" {
		return nil
	}
	status, err := e.log.Status(ctx)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(status.Nodes, func(node string) bool { return strings.HasPrefix(node, e.redis.Name+"/") })
	if len(others) == 0 {
		return nil
	}
	if self := strings.TrimSuffix(e.redis.Name, e.flag); strings.HasPrefix(others[0], self) {
		return errors.New("--from and --to are the same log")
	}
	return fmt.Errorf("%s is used by %s: stop every node first", e.name, printable(strings.Join(others, ", ")))
}

// guard ends the context when a partition is taken away.
func (e *logEnd) guard(ctx context.Context, cancel context.CancelCauseFunc) {
	for partition, lease := range e.leases {
		go func() {
			select {
			case <-lease.Lost():
				cancel(fmt.Errorf("partition %d of %s was taken away: was a node started?", partition, e.name))
			case <-ctx.Done():
			}
		}()
	}
}

// copyable returns an error for a log that holds what a copy would leave behind.
func (e *logEnd) copyable(ctx context.Context) error {
	if err := refuseUnfinishedCopy(ctx, e.log); err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	status, err := e.log.Status(ctx)
	if err != nil {
		return err
	}
	waiting := uint64(0)
	for partition := range status.Partitions {
		if loss := status.Partitions[partition].OpenLoss; loss != nil {
			return fmt.Errorf("%s: %w. Restore them, or give them up with tandem log accept-loss %d, before the log is copied", e.name, loss, partition)
		}
		waiting += status.Partitions[partition].Waiting
	}
	if waiting > 0 {
		return fmt.Errorf("%s: %s in its inbox and would be left behind: start a node, which decides them, and stop it when tandem log status says that nothing waits",
			e.name, countOf(waiting, "command waits", "commands wait"))
	}
	return nil
}
