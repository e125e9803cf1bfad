package http

import (
	"github.com/prometheus/client_golang/prometheus"

	"tandem/webhooks"
)

// laneMetrics exports the status of this node's lanes, read at each scrape.
//
// It is served on the operator's own listener only: the activity of webhooks, even summed up, would disclose activity
// of agreements that a reader may not see.
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
		disabled:  desc("disabled", "Whether the webhook is disabled."),
		failing:   desc("failing", "Whether the last attempt failed."),
		delivered: desc("delivered_total", "Messages sent successfully."),
		failed:    desc("failed_total", "Failed attempts."),
		behind:    desc("behind", "Visible events behind the lane's cursor, including those that the filter excludes."),
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
		export := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64) {
			out <- prometheus.MustNewConstMetric(desc, kind, value, string(lane.Ref.Partner), string(lane.Ref.Webhook), lane.Format)
		}
		export(m.disabled, prometheus.GaugeValue, boolMetric(lane.Disabled))
		export(m.failing, prometheus.GaugeValue, boolMetric(!lane.FailingSince.IsZero()))
		export(m.delivered, prometheus.CounterValue, float64(lane.Sent))
		export(m.failed, prometheus.CounterValue, float64(lane.Failed))
		export(m.behind, prometheus.GaugeValue, float64(lane.Behind))
	}
}

func boolMetric(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
