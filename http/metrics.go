package http

import (
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics counts requests by route, independently of the resources in their paths.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	waiting  prometheus.Gauge // long polls and event streams that wait for a change
	unrouted *routeMetrics
}

// statusClasses are the labels of a status by its first digit; an unfinished response counts as 5xx.
var statusClasses = [...]string{"5xx", "1xx", "2xx", "3xx", "4xx", "5xx"}

// routeMetrics are the counters of one route, looked up once.
type routeMetrics struct {
	byClass [len(statusClasses)]prometheus.Counter
	seconds prometheus.Observer
}

func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	metrics := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_http_requests_total", Help: "Requests by method, route and class of status.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tandem_http_request_duration_seconds", Help: "Time from a request to the end of its response, including the wait of long polls.",
			Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5, 60},
		}, []string{"method", "route"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tandem_http_waiting", Help: "Long polls and event streams that are waiting for a change.",
		}),
	}
	for _, own := range []prometheus.Collector{metrics.requests, metrics.seconds, metrics.waiting} {
		if err := registry.Register(own); err != nil {
			return nil, err
		}
	}
	process := collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	for _, general := range []prometheus.Collector{collectors.NewGoCollector(), process} {
		var there prometheus.AlreadyRegisteredError
		if err := registry.Register(general); err != nil && !errors.As(err, &there) {
			return nil, err // the owner of the registry may have registered them
		}
	}
	metrics.unrouted = metrics.route("other", "unrouted")
	return metrics, nil
}

// route returns the counters of a route; equal labels share them.
func (m *metrics) route(method, path string) *routeMetrics {
	counters := &routeMetrics{seconds: m.seconds.WithLabelValues(method, path)}
	for i, class := range statusClasses {
		counters.byClass[i] = m.requests.WithLabelValues(method, path, class)
	}
	return counters
}

// observe counts one request.
func (r *routeMetrics) observe(status int, took time.Duration) {
	class := status / http.StatusContinue
	if class < 0 || class >= len(r.byClass) {
		class = 0
	}
	r.byClass[class].Inc()
	r.seconds.Observe(took.Seconds())
}
