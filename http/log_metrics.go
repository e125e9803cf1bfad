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
	// scrapeTimeout bounds the log's response to a scrape.
	scrapeTimeout = time.Second
	// scrapeTTL is how long a response of the log, or its absence, is reused for further scrapes.
	scrapeTTL = 5 * time.Second
)

// logMetrics exports the log's state for operators, read when scraped. If the log does not respond, only
// tandem_log_up is exported, with the value 0.
type logMetrics struct {
	operations Operations
	image      *projections.ReadModel
	now        func() time.Time

	up, head, lag, waiting, oldest, owned, unowned, deadLetters, bytes, limit *prometheus.Desc

	mu         sync.Mutex
	fetchedAt  time.Time // when status was read; zero: never
	status     eventlog.Status
	lagCommits uint64 // commits that this node had not applied then
	err        error
}

func newLogMetrics(operations Operations, image *projections.ReadModel, now func() time.Time) *logMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("tandem_log_"+name, help, labels, nil)
	}
	return &logMetrics{
		operations: operations, image: image, now: now,
		up:          desc("up", "1 if the log responded at the scrape, otherwise 0."),
		head:        desc("head", "Sequence number of the last stored commit.", "partition"),
		lag:         desc("applied_lag_commits", "Durable commits that this node has not applied yet, over all partitions."),
		waiting:     desc("waiting_commands", "Undecided commands in the command queue.", "partition"),
		oldest:      desc("oldest_waiting_seconds", "Age of the oldest undecided command; 0 if there is none or its age is unknown."),
		owned:       desc("owned_partitions", "Partitions that this node owns."),
		unowned:     desc("unowned_partitions", "Partitions that no node owns; their commands wait."),
		deadLetters: desc("dead_letters", "Messages that could not be decoded as commands, over all partitions."),
		bytes:       desc("bytes", "Size of the log's file, or memory in use by its server."),
		limit:       desc("limit_bytes", "Limit of tandem_log_bytes; 0 without a limit."),
	}
}

// Describe implements prometheus.Collector.
func (m *logMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{m.up, m.head, m.lag, m.waiting, m.oldest, m.owned, m.unowned, m.deadLetters, m.bytes, m.limit} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (m *logMetrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	status, behind, err := m.fetchStatus()
	if err != nil {
		gauge(m.up, 0)
		return
	}
	var letters uint64
	var owned, unowned int
	var oldest float64
	now := m.now()
	for i := range status.Partitions {
		status, number := &status.Partitions[i], fmt.Sprintf("%02d", i) // the same form as in tandem_log_lost
		gauge(m.head, float64(status.Head.Seq), number)
		gauge(m.waiting, float64(status.Waiting), number)
		letters += status.DeadLetters
		oldest = max(oldest, age(status.OldestWaiting, now))
		if status.Owner == "" {
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
	gauge(m.deadLetters, float64(letters))
	gauge(m.bytes, float64(status.Bytes))
	gauge(m.limit, float64(status.BytesLimit))
}

// fetchStatus returns the log's state, at most scrapeTTL old. Concurrent scrapes share one read.
func (m *logMetrics) fetchStatus() (eventlog.Status, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.now(); m.fetchedAt.IsZero() || now.Sub(m.fetchedAt) >= scrapeTTL {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		defer cancel()
		m.status, m.err = m.operations.Status(ctx)
		m.fetchedAt, m.lagCommits = now, 0
		for i := range m.status.Partitions {
			m.lagCommits += lag(&m.status.Partitions[i], m.image.Head(eventlog.Partition(i)).Seq)
		}
	}
	return m.status, m.lagCommits, m.err
}
