package logcopy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"tandem/eventlog"
)

// end is one of the two logs while it is being copied.
type end struct {
	End
	other string // node name of the other end

	log    eventlog.Log
	leases [eventlog.Partitions]eventlog.Lease
}

func (e *end) open(ctx context.Context) error {
	log, err := e.Open(ctx)
	if err != nil {
		return err
	}
	e.log = log
	if e.Name != "" {
		return nil
	}
	status, err := e.log.Status(ctx)
	e.Name = status.Location
	return err
}

func (e *end) close() error {
	if e.log == nil {
		return nil
	}
	return e.log.Close()
}

// Time limits. A node that was killed counts as alive for some 1.5 s.
const (
	nodesTimeout = 3 * time.Second // for other nodes to end
	ownTimeout   = 5 * time.Second // for their leases to end
	nodesPoll    = 100 * time.Millisecond
)

// own makes this process the owner of all partitions that it does not own yet. It refuses while another node is alive:
// the two would share them.
func (e *end) own(ctx context.Context) error {
	if err := e.awaitAlone(ctx); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, ownTimeout)
	defer cancel()
	var all sync.WaitGroup
	var errs [eventlog.Partitions]error
	for partition := range e.leases {
		if e.leases[partition] == nil {
			all.Go(func() { e.leases[partition], errs[partition] = e.log.Own(limited, eventlog.Partition(partition)) })
		}
	}
	all.Wait()
	if err := errors.Join(ctx.Err(), e.checkAlone(ctx)); err != nil {
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
		return fmt.Errorf("%s: %d of %d partitions have another owner, although no other node is alive; compare this machine's clock with the server's (%w)",
			e.Name, missing, eventlog.Partitions, first)
	}
	return nil
}

// awaitAlone waits for nodes that are ending or were killed.
func (e *end) awaitAlone(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, nodesTimeout)
	defer cancel()
	for {
		err := e.checkAlone(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(nodesPoll):
		case <-limited.Done():
			return err
		}
	}
}

// checkAlone returns an error that names the other nodes that are alive. A log of a single process has none.
func (e *end) checkAlone(ctx context.Context) error {
	if !e.log.Capabilities().Shared {
		return nil
	}
	status, err := e.log.Status(ctx)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(status.Nodes, func(node string) bool { return isNode(node, e.Node) })
	if len(others) == 0 {
		return nil
	}
	if slices.ContainsFunc(others, func(node string) bool { return isNode(node, e.other) }) {
		return errors.New("source and target are the same log")
	}
	return fmt.Errorf("%s is used by %s: stop every node first", e.Name, printable(strings.Join(others, ", ")))
}

// isNode reports whether a log's name for a node is the configured one with its suffix.
func isNode(node, name string) bool { return name != "" && strings.HasPrefix(node, name+"/") }

// guard cancels the context when another node takes a partition.
func (e *end) guard(ctx context.Context, cancel context.CancelCauseFunc) {
	for partition, lease := range e.leases {
		go func() {
			select {
			case <-lease.Lost():
				cancel(fmt.Errorf("partition %d of %s has another owner: was a node started?", partition, e.Name))
			case <-ctx.Done():
			}
		}()
	}
}

// checkCopyable refuses a log with content that a copy would leave behind.
func (e *end) checkCopyable(ctx context.Context) error {
	if err := CheckFinished(ctx, e.log); err != nil {
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	status, err := e.log.Status(ctx)
	if err != nil {
		return err
	}
	waiting := uint64(0)
	for partition := range status.Partitions {
		if loss := status.Partitions[partition].OpenLoss; loss != nil {
			return fmt.Errorf("%s: %w; restore them, or give them up with tandem log accept-loss %d, before copying the log", e.Name, loss, partition)
		}
		waiting += status.Partitions[partition].Waiting
	}
	if waiting > 0 {
		return fmt.Errorf("%s: %s in the command queue, and the copy would leave them behind: start a node, which decides them, and stop it when tandem log status shows none waiting",
			e.Name, countOf(waiting, "command waits", "commands wait"))
	}
	return nil
}

// printable replaces characters that could control a terminal. Other nodes and earlier copies chose the text.
func printable(text string) string {
	return strings.Map(func(char rune) rune {
		if unicode.IsPrint(char) {
			return char
		}
		return '·'
	}, text)
}

// countOf writes a number with its noun.
func countOf(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
