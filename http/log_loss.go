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
var errHistoryLost = awaitingOperator("history_lost",
	"Some of the history that this is made of was lost. It is served again when the operator has decided how to go on.", nil)

// errOldIfMatch refuses a version that was counted before a loss; since then the same number may have
// been given to something else.
var errOldIfMatch = refuse(http.StatusPreconditionFailed, "version_mismatch",
	"History was lost since this ETag was given; read the resource again.")

// intact reports whether nothing is lost of what the route's answer is made of.
func (c *call) intact(view *projections.View) bool {
	switch agreement, partner := c.agreement(), c.partner(); {
	case c.cfg.ReadModel.OpenLosses() == nil || c.route == nil:
		return true
	case c.route.dependsOn != nil:
		return c.route.dependsOn(view)
	case agreement != "":
		return c.cfg.ReadModel.Intact(domain.Stream{Agreement: agreement})
	case partner != "":
		return c.cfg.ReadModel.Intact(domain.Stream{Partner: partner})
	}
	return true
}

// checkIntact is to be asked before something that was made earlier is served, and by those who wait: it
// refuses what has been lost meanwhile. While nothing is lost it costs an atomic load.
func (c *call) checkIntact() error {
	if c.cfg.ReadModel.OpenLosses() == nil {
		return nil
	}
	return c.checkVisible()
}

// checkAcceptNew refuses to begin something when the log has no room for more. Why is for the operator.
func (c *writeCall) checkAcceptNew() error {
	err := c.cfg.AcceptNew()
	if err == nil {
		return nil
	}
	detail := "This installation takes in nothing new now. What is there can still be changed."
	if c.caller.Operator {
		detail = err.Error()
	}
	return awaitingOperator("log_full", detail, err)
}

// readiness is why the node is not ready, empty if it is.
func (c *call) readiness() string {
	var reasons []string
	if err := c.cfg.Ready(); err != nil {
		reasons = append(reasons, err.Error())
	}
	for _, loss := range c.cfg.ReadModel.OpenLosses() {
		reasons = append(reasons, loss.Error())
	}
	return strings.Join(reasons, "; ")
}

// lossCollector tells the partitions that are not served because they have lost commits.
type lossCollector struct {
	image            *projections.ReadModel
	partitions, lost *prometheus.Desc
}

func newLossCollector(image *projections.ReadModel) lossCollector {
	return lossCollector{
		image,
		prometheus.NewDesc("tandem_log_lost_partitions", "Partitions that have lost commits and wait for the operator.", nil, nil),
		prometheus.NewDesc("tandem_log_lost", "1 for each partition that has lost commits and waits for the operator.", []string{"partition"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c lossCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.partitions
	to <- c.lost
}

// Collect implements prometheus.Collector.
func (c lossCollector) Collect(to chan<- prometheus.Metric) {
	lost := c.image.OpenLosses()
	to <- prometheus.MustNewConstMetric(c.partitions, prometheus.GaugeValue, float64(len(lost)))
	for _, loss := range lost {
		to <- prometheus.MustNewConstMetric(c.lost, prometheus.GaugeValue, 1, fmt.Sprintf("%02d", loss.Partition))
	}
}
