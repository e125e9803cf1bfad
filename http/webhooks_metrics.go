package http

import (
	"github.com/prometheus/client_golang/prometheus"

	"tandem/webhooks"
)

// laneMetrics tells how the deliveries of this node stand, read at each scrape.
//
// It is for a listener of the operator's own: how busy a partner's webhooks are, even all of them together, would
// tell others of what they may not see.
type laneMetrics struct {
	lanes func() []webhooks.LaneStatus

	disabled, failing, delivered, failed, behind *prometheus.Desc
}

func newLaneMetrics(lanes func() []webhooks.LaneStatus) *laneMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("tandem_webhook_"+name, help, []string{"partner", "webhook", "format"}, nil)
	}
	return &laneMetrics{
		lanes:     lanes,
		disabled:  desc("disabled", "Whether it is disabled."),
		failing:   desc("failing", "Whether the last attempt failed."),
		delivered: desc("delivered_total", "Deliveries that were taken."),
		failed:    desc("failed_total", "Attempts that failed."),
		behind:    desc("behind", "Recorded events that a delivery has not reached, wanted or not."),
	}
}

// Describe implements prometheus.Collector.
func (m *laneMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{m.disabled, m.failing, m.delivered, m.failed, m.behind} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (m *laneMetrics) Collect(out chan<- prometheus.Metric) {
	for _, lane := range m.lanes() {
		tell := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64) {
			out <- prometheus.MustNewConstMetric(desc, kind, value, string(lane.Ref.Partner), string(lane.Ref.Webhook), lane.Format)
		}
		tell(m.disabled, prometheus.GaugeValue, boolMetric(lane.Disabled))
		tell(m.failing, prometheus.GaugeValue, boolMetric(!lane.FailingSince.IsZero()))
		tell(m.delivered, prometheus.CounterValue, float64(lane.Sent))
		tell(m.failed, prometheus.CounterValue, float64(lane.Failed))
		tell(m.behind, prometheus.GaugeValue, float64(lane.Behind))
	}
}

func boolMetric(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
