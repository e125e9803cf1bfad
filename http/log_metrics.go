package http

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tandem/eventlog"
	"tandem/projections"
)

const (
	// scrapeWait is how long a scrape waits for the log.
	scrapeWait = time.Second
	// scrapeKept is for how long an answer of the log, or that there was none, serves further scrapes:
	// however many ask, the log is asked once.
	scrapeKept = 5 * time.Second
)

// logMetrics tells what somebody on call asks of the log. It asks the log when it is scraped. While
// the log does not answer there is only tandem_log_up, at 0, and nothing outdated.
type logMetrics struct {
	operations Operations
	image      *projections.Image
	now        func() time.Time

	up, head, lag, waiting, oldest, owned, unowned, letters, bytes, limit *prometheus.Desc

	mu     sync.Mutex
	at     time.Time // when status was asked for; zero: never
	status eventlog.Status
	behind uint64 // commits that this node had not applied then
	err    error
}

func newLogMetrics(operations Operations, image *projections.Image, now func() time.Time) *logMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("tandem_log_"+name, help, labels, nil)
	}
	return &logMetrics{
		operations: operations, image: image, now: now,
		up:      desc("up", "1 when the log told its state at the scrape, else 0."),
		head:    desc("head", "Sequence number of the last stored commit.", "partition"),
		lag:     desc("applied_lag_commits", "Durable commits that this node has not applied yet, over all partitions."),
		waiting: desc("waiting_commands", "Commands in the inbox that are not decided yet.", "partition"),
		oldest:  desc("oldest_waiting_seconds", "Age of the oldest command in any inbox; 0 if none waits or its age is not known."),
		owned:   desc("owned_partitions", "Partitions that this node owns."),
		unowned: desc("unowned_partitions", "Partitions that no node owns; their commands wait."),
		letters: desc("dead_letters", "Messages kept because they could not be read as commands, over all partitions."),
		bytes:   desc("bytes", "Size of the log's file, or memory in use by its server."),
		limit:   desc("limit_bytes", "What tandem_log_bytes may reach; 0 when no limit is set."),
	}
}

// Describe implements prometheus.Collector.
func (m *logMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.up, m.head, m.lag, m.waiting, m.oldest, m.owned, m.unowned, m.letters, m.bytes, m.limit} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *logMetrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	status, behind, err := m.ask()
	if err != nil {
		gauge(m.up, 0)
		return
	}
	var letters uint64
	var owned, unowned int
	var oldest float64
	now := m.now()
	for i := range status.Partitions {
		p, number := &status.Partitions[i], fmt.Sprintf("%02d", i) // as tandem_log_lost has it
		gauge(m.head, float64(p.Head.Seq), number)
		gauge(m.waiting, float64(p.Waiting), number)
		letters += p.DeadLetters
		oldest = max(oldest, age(p.Oldest, now))
		if p.Owner == "" {
			unowned++
		}
		if m.operations.Owns(eventlog.Partition(i)) {
			owned++
		}
	}
	gauge(m.up, 1)
	gauge(m.lag, float64(behind))
	gauge(m.oldest, oldest)
	gauge(m.owned, float64(owned))
	gauge(m.unowned, float64(unowned))
	gauge(m.letters, float64(letters))
	gauge(m.bytes, float64(status.Bytes))
	gauge(m.limit, float64(status.Limit))
}

// ask returns the log's state, as it was some seconds ago at most. Scrapes at the same time wait for
// one answer.
func (m *logMetrics) ask() (eventlog.Status, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.now(); m.at.IsZero() || now.Sub(m.at) >= scrapeKept {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeWait)
		defer cancel()
		m.status, m.err = m.operations.Status(ctx)
		m.at, m.behind = now, 0
		for i := range m.status.Partitions {
			m.behind += lag(&m.status.Partitions[i], m.image.Head(eventlog.Partition(i)).Seq)
		}
	}
	return m.status, m.behind, m.err
}
