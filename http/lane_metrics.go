package http

import (
	"github.com/prometheus/client_golang/prometheus"

	"tandem/webhooks"
)

// laneMetrics tells how the deliveries of this node stand, read at each scrape.
//
// Over all webhooks together for everybody who may read metrics; webhook by webhook only on a listener of the
// operator's own: how busy a partner's webhook is would tell others of what they may not see.
type laneMetrics struct {
	lanes func() []webhooks.LaneState
	each  bool

	count, disabled, failing, delivered, failed, behind *prometheus.Desc
}

func newLaneMetrics(lanes func() []webhooks.LaneState, each bool) *laneMetrics {
	var labels []string
	if each {
		labels = []string{"partner", "webhook", "format"}
	}
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("tandem_webhook"+name, help, labels, nil)
	}
	return &laneMetrics{
		lanes: lanes, each: each,
		count:     desc("s", "Webhooks whose deliveries this node makes."),
		disabled:  desc("s_disabled", "Of those, the ones that are disabled."),
		failing:   desc("s_failing", "Of those, the ones whose last attempt failed."),
		delivered: desc("_delivered_total", "Deliveries that were taken."),
		failed:    desc("_failed_total", "Attempts that failed."),
		behind:    desc("_behind", "Recorded events that a delivery has not reached, wanted or not."),
	}
}

// Describe implements prometheus.Collector.
func (m *laneMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.count, m.disabled, m.failing, m.delivered, m.failed, m.behind} {
		out <- d
	}
}

// laneSum is what is told of some lanes.
type laneSum struct{ count, disabled, failing, delivered, failed, behind float64 }

func (s *laneSum) add(l webhooks.LaneState) {
	s.count++
	if l.Disabled {
		s.disabled++
	}
	if !l.Failing.IsZero() {
		s.failing++
	}
	s.delivered += float64(l.Delivered)
	s.failed += float64(l.Failed)
	s.behind += float64(l.Behind)
}

// Collect implements prometheus.Collector.
func (m *laneMetrics) Collect(out chan<- prometheus.Metric) {
	var all laneSum
	for _, l := range m.lanes() {
		if m.each {
			var one laneSum
			one.add(l)
			m.tell(out, one, string(l.Ref.Partner), string(l.Ref.Webhook), l.Format)
			continue
		}
		all.add(l)
	}
	if !m.each {
		m.tell(out, all)
	}
}

func (m *laneMetrics) tell(out chan<- prometheus.Metric, s laneSum, labels ...string) {
	for _, x := range []struct {
		desc  *prometheus.Desc
		kind  prometheus.ValueType
		value float64
	}{
		{m.count, prometheus.GaugeValue, s.count},
		{m.disabled, prometheus.GaugeValue, s.disabled},
		{m.failing, prometheus.GaugeValue, s.failing},
		{m.delivered, prometheus.CounterValue, s.delivered},
		{m.failed, prometheus.CounterValue, s.failed},
		{m.behind, prometheus.GaugeValue, s.behind},
	} {
		out <- prometheus.MustNewConstMetric(x.desc, x.kind, x.value, labels...)
	}
}
