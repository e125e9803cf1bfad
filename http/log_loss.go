package http

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"tandem/domain"
	"tandem/projections"
)

// errHistoryLost names no partition; /readyz, the metrics and the logger do.
var errHistoryLost = awaitingOperator("history_lost",
	"Part of this resource's history was lost. It is served again after the operator has accepted the loss.", nil)

// errOldIfMatch refuses a version from before an accepted loss: the same number may since denote another state.
var errOldIfMatch = refuse(http.StatusPreconditionFailed, "version_mismatch",
	"History was lost after this ETag was issued. Read the resource again.")

// intact reports whether no history of the response's data is lost.
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

// checkIntact refuses data whose history has been lost since it was rendered. Handlers call it before they serve
// cached data and after waiting. Without losses it costs an atomic load.
func (c *call) checkIntact() error {
	if c.cfg.ReadModel.OpenLosses() == nil {
		return nil
	}
	return c.checkVisible()
}

// checkAcceptNew refuses new partners and agreements when the log is nearly full. Only the operator sees the reason.
func (c *writeCall) checkAcceptNew() error {
	err := c.cfg.AcceptNew()
	if err == nil {
		return nil
	}
	detail := "This installation accepts no new partners and agreements now. Existing ones can still be changed."
	if c.caller.Operator {
		detail = err.Error()
	}
	return awaitingOperator("log_full", detail, err)
}

// readiness returns why the node is not ready, or "" if it is.
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

// lossCollector exports the partitions that are not served because they have lost commits.
type lossCollector struct {
	image            *projections.ReadModel
	partitions, lost *prometheus.Desc
}

func newLossCollector(image *projections.ReadModel) lossCollector {
	return lossCollector{
		image,
		prometheus.NewDesc("tandem_log_lost_partitions", "Partitions with a loss that has not been accepted.", nil, nil),
		prometheus.NewDesc("tandem_log_lost", "1 for each partition with a loss that has not been accepted.", []string{"partition"}, nil),
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
