package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// meter shows how far something has got: a bar on a terminal, a line for every tenth elsewhere.
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
		_ = progress.bar.Set64(int64(done)) // a bar that cannot be drawn is no reason to stop
	}
	return progress
}

func (m *meter) add(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += uint64(n)
	if m.bar != nil {
		_ = m.bar.Set64(int64(m.done))
		return
	}
	if tenths := 10 * m.done / m.total; tenths > m.tenths {
		m.tenths = tenths
		fmt.Fprintf(m.out, "%s: %s of %s commits\n", m.verb, formatCount(m.done), formatCount(m.total))
	}
}

// end leaves the line to what is said next.
func (m *meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bar != nil && !m.bar.IsFinished() {
		_ = m.bar.Exit()
		fmt.Fprintln(m.out)
	}
}

// summary says what was copied.
func (l *logCopy) summary() {
	found := &l.found
	commits := formatCount(found.commits.Load())
	if l.already > 0 {
		commits += fmt.Sprintf(", of which an interrupted copy had brought %s", formatCount(l.already))
	}
	took := time.Since(l.begun)
	printPairs(
		l.stdout,
		"From", printable(l.from.name),
		"To", printable(l.to.name),
		"Commits", commits,
		"Events", formatCount(found.events.Load()),
		"Size", formatSize(found.bytes.Load()),
		"Values", formatCount(found.values.Load()),
		"Records", formatCount(found.records.Load())+" of the last 24 hours",
		"Dead letters", formatCount(found.letters.Load()),
		"Duration", fmt.Sprintf("%.1f s", took.Seconds()),
		"Check", "chain verified: every commit was read again, and the ends are the source's",
	)
}

// guide says what to do next: how a node starts on the target, and where it gets its key.
func (l *logCopy) guide() {
	if l.to.dir != "" {
		fmt.Fprintf(l.stdout, "\nStart a node on the copy with:\n\n    tandem serve --data %s\n\n%s", shellQuoted(l.to.dir), l.embeddedKey())
	} else {
		data := "DIR"
		if l.from.dir != "" {
			data = shellQuoted(l.from.dir)
		}
		fmt.Fprintf(l.stdout, "\nStart a node on the copy with:\n\n    tandem serve --redis %s --data %s\n\n%s", shellQuoted(l.to.name), data, l.sharedKey())
	}
	fmt.Fprintf(l.stdout, "A node that has not seen this log reads all of it at its first start; marks and snapshots of one that has stay good.\n\n"+
		"%s is as it was. Do not start a node on it again: the two histories could not be joined.\n", printable(l.from.name))
}

// embeddedKey says where the node on an embedded copy gets its key and the operator's token.
func (l *logCopy) embeddedKey() string {
	switch {
	case l.to.has(keyFile) && l.to.has(operatorFile):
		return "The installation key and the operator's token are in that directory.\n"
	case l.to.has(keyFile):
		return "The installation key is in that directory. The operator's token goes with TANDEM_OPERATOR_TOKEN or the file " + operatorFile + ";\nwithout either the first start makes a new one.\n"
	case l.key != nil:
		return "Set the same TANDEM_KEY as now, and TANDEM_OPERATOR_TOKEN: the directory has neither.\n"
	}
	return "Before that, bring the installation key: copy the files " + keyFile + " and " + operatorFile + " from the --data directory of a node,\n" +
		"or set TANDEM_KEY and TANDEM_OPERATOR_TOKEN. Command ids, tokens and secrets derive from the key.\n"
}

// sharedKey says where nodes get their key and the operator's token.
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
