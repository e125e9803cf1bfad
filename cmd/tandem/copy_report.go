package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"tandem/eventlog/logcopy"
)

// meter shows the progress of a phase: a bar on a terminal, a line for every tenth elsewhere.
type meter struct {
	out  io.Writer
	verb string

	mu          sync.Mutex
	bar         *progressbar.ProgressBar // nil: lines
	done, total uint64
	tenths      uint64
}

func newMeter(out io.Writer, verb string, total, done uint64) *meter {
	progress := &meter{out: out, verb: verb, total: max(total, 1), done: done}
	progress.tenths = 10 * progress.done / progress.total
	if isTerminal(out) {
		progress.bar = progressbar.NewOptions64(int64(total),
			progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(verb), progressbar.OptionShowCount(),
			progressbar.OptionShowIts(), progressbar.OptionSetItsString("commits"), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
		_ = progress.bar.Set64(int64(done)) // a bar that cannot be drawn does not stop the copy
	}
	return progress
}

// set shows a new count. Counts of concurrent calls may arrive in another order.
func (m *meter) set(done uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = max(m.done, done)
	if m.bar != nil {
		_ = m.bar.Set64(int64(m.done))
		return
	}
	if tenths := 10 * m.done / m.total; tenths > m.tenths {
		m.tenths = tenths
		fmt.Fprintf(m.out, "%s: %s of %s commits\n", m.verb, formatCount(m.done), formatCount(m.total))
	}
}

// end leaves the line to later output.
func (m *meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bar != nil && !m.bar.IsFinished() {
		_ = m.bar.Exit()
		fmt.Fprintln(m.out)
	}
}

// copyMeters shows the phases of a copy, one after the other.
type copyMeters struct {
	out io.Writer

	mu      sync.Mutex
	phase   logcopy.Phase
	present *meter
}

func (c *copyMeters) report(progress logcopy.Progress) {
	c.mu.Lock()
	if c.present == nil || progress.Phase > c.phase {
		if c.present != nil {
			c.present.end()
		}
		verb := map[logcopy.Phase]string{logcopy.Copying: "Copying", logcopy.Verifying: "Verifying"}[progress.Phase]
		c.phase, c.present = progress.Phase, newMeter(c.out, verb, progress.Total, 0)
	}
	present := c.present
	c.mu.Unlock()
	present.set(progress.Done)
}

func (c *copyMeters) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.present != nil {
		c.present.end()
	}
}

// printSummary prints the counts of the copy.
func (l *logCopy) printSummary(result *logcopy.Result) {
	commits := formatCount(result.Commits)
	if result.Continued > 0 {
		commits += fmt.Sprintf(", of which an interrupted copy had stored %s", formatCount(result.Continued))
	}
	printPairs(
		l.stdout,
		"From", printable(result.Source),
		"To", printable(result.Target),
		"Commits", commits,
		"Events", formatCount(result.Events),
		"Size", formatSize(result.Bytes),
		"Values", formatCount(result.Values),
		"Receipts", formatCount(result.Receipts)+" of the last 24 hours",
		"Dead letters", formatCount(result.DeadLetters),
		"Duration", fmt.Sprintf("%.1f s", time.Since(l.started).Seconds()),
		"Check", "chain verified: every commit was read again, and the heads equal the source's",
	)
}

// printNextSteps prints how to start a node on the target and where it gets its key.
func (l *logCopy) printNextSteps(result *logcopy.Result) {
	if l.to.dir != "" {
		fmt.Fprintf(l.stdout, "\nStart a node on the copy with:\n\n    tandem serve --data %s\n\n%s", shellQuoted(l.to.dir), l.embeddedKey())
	} else {
		data := "DIR"
		if l.from.dir != "" {
			data = shellQuoted(l.from.dir)
		}
		fmt.Fprintf(l.stdout, "\nStart a node on the copy with:\n\n    tandem serve --redis %s --data %s\n\n%s", shellQuoted(result.Target), data, l.sharedKey())
	}
	fmt.Fprintf(l.stdout, "A node that has not used this log before reads all of it at its first start; the marks and snapshots of other nodes stay valid.\n\n"+
		"%s is unchanged. Do not start a node on it again: the two histories could not be merged.\n", printable(result.Source))
}

// embeddedKey describes where the node on an embedded copy gets its key and the operator's token.
func (l *logCopy) embeddedKey() string {
	switch {
	case l.to.has(keyFile) && l.to.has(operatorFile):
		return "The installation key and the operator's token are in that directory.\n"
	case l.to.has(keyFile):
		return "The installation key is in that directory. The operator's token goes with TANDEM_OPERATOR_TOKEN or the file " + operatorFile + ";\nwithout either the first start makes a new one.\n"
	case l.key != nil:
		return "Set the same TANDEM_KEY as now, and TANDEM_OPERATOR_TOKEN: the directory has neither.\n"
	}
	return "First provide the installation key: copy the files " + keyFile + " and " + operatorFile + " from the --data directory of a node,\n" +
		"or set TANDEM_KEY and TANDEM_OPERATOR_TOKEN. Command ids, tokens and secrets derive from the key.\n"
}

// sharedKey describes where nodes get their key and the operator's token.
func (l *logCopy) sharedKey() string {
	switch {
	case l.from.has(keyFile) && l.from.has(operatorFile):
		return "The installation key and the operator's token are in that directory. Copy the files " + keyFile + " and " + operatorFile + " into the\n" +
			"--data directory of every other node, or set TANDEM_KEY and TANDEM_OPERATOR_TOKEN there.\n"
	case l.from.has(keyFile):
		return "The installation key is in that directory. Copy the file " + keyFile + " into the --data directory of every other node, or set\n" +
			"TANDEM_KEY there; TANDEM_OPERATOR_TOKEN is the same everywhere.\n"
	}
	return "Every node needs the installation key that it had: its file " + keyFile + " in --data or TANDEM_KEY, and the operator's token as before.\n"
}
