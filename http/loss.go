package http

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"tandem/domain"
	"tandem/projections"
)

// errHistoryLost tells nothing of what was lost: /readyz, the metrics and the log name it.
var errHistoryLost = suspended("history_lost",
	"Some of the history that this is made of was lost. It is served again when the operator has decided how to go on.", nil)

// errOldMatch refuses a version that was counted before a loss; since then the same number may have
// been given to something else.
var errOldMatch = refuse(http.StatusPreconditionFailed, "version_mismatch",
	"History was lost since this ETag was given; read the resource again.")

// intact reports whether nothing is lost of what the route's answer is made of.
func (q *call) intact(v *projections.View) bool {
	switch agreement, partner := q.agreement(), q.partner(); {
	case q.Image.Lost() == nil || q.rt == nil:
		return true
	case q.rt.whole != nil:
		return q.rt.whole(v)
	case agreement != "":
		return q.Image.Intact(domain.Stream{Agreement: agreement})
	case partner != "":
		return q.Image.Intact(domain.Stream{Partner: partner})
	}
	return true
}

// guard is to be asked before something that was made earlier is served, and by those who wait: it
// refuses what has been lost meanwhile. While nothing is lost it costs an atomic load.
func (q *call) guard() error {
	if q.Image.Lost() == nil {
		return nil
	}
	return q.visible()
}

// acceptNew refuses to begin something when the log has no room for more. Why is for the operator.
func (q *writing) acceptNew() error {
	err := q.AcceptNew()
	if err == nil {
		return nil
	}
	detail := "This installation takes in nothing new now. What is there can still be changed."
	if q.who.Operator {
		detail = err.Error()
	}
	return suspended("log_full", detail, err)
}

// readiness is why the node is not ready, empty if it is.
func (q *call) readiness() string {
	var reasons []string
	if err := q.Ready(); err != nil {
		reasons = append(reasons, err.Error())
	}
	for _, l := range q.Image.Lost() {
		reasons = append(reasons, l.Error())
	}
	return strings.Join(reasons, "; ")
}

// lossCollector tells the partitions that are not served because they have lost commits.
type lossCollector struct {
	image             *projections.Image
	partitions, which *prometheus.Desc
}

func newLossCollector(image *projections.Image) lossCollector {
	return lossCollector{
		image,
		prometheus.NewDesc("tandem_log_lost_partitions", "Partitions that have lost commits and wait for the operator.", nil, nil),
		prometheus.NewDesc("tandem_log_lost", "1 for each partition that has lost commits and waits for the operator.", []string{"partition"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c lossCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.partitions
	to <- c.which
}

// Collect implements prometheus.Collector.
func (c lossCollector) Collect(to chan<- prometheus.Metric) {
	lost := c.image.Lost()
	to <- prometheus.MustNewConstMetric(c.partitions, prometheus.GaugeValue, float64(len(lost)))
	for _, l := range lost {
		to <- prometheus.MustNewConstMetric(c.which, prometheus.GaugeValue, 1, fmt.Sprintf("%02d", l.Partition))
	}
}
