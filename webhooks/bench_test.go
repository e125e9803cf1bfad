package webhooks

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/eventlog/sqlite"
)

// counter is the least receiver there can be.
type counter struct {
	url  string
	n    atomic.Int64
	want atomic.Int64
	done chan struct{} // has room for one signal: want is reached
	at   func(body []byte)
}

func newCounter(b *testing.B) *counter {
	c := &counter{done: make(chan struct{}, 1)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if c.at != nil {
			c.at(body)
		}
		if c.n.Add(1) == c.want.Load() {
			signal(c.done)
		}
	})}
	go func() { _ = server.Serve(l) }()
	b.Cleanup(func() { _ = server.Close() })
	c.url = "http://" + l.Addr().String() + "/"
	return c
}

func benchWorld(b *testing.B) *world {
	log, err := sqlite.Open(b.Context(), sqlite.Config{Dir: b.TempDir()})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, log.Close()) })
	return openWorld(b, log, &clock{real: true}, func(c *Config) { c.KeepEvery, c.AttemptTimeout = 0, 0 })
}

// BenchmarkDeliveries is what a hundred lanes deliver to a local receiver, against 64 workers with a bare Go
// client that send a body of the same size to it. Rounds are interleaved.
func BenchmarkDeliveries(b *testing.B) {
	const lanes, events, rounds, workers = 100, 100, 5, 64
	var ours, theirs []float64
	for range rounds {
		c := newCounter(b)
		w := benchWorld(b)
		w.agree("a")
		for n := range lanes / 2 {
			w.hookOf(nokia, fmt.Sprintf("n%d", n), c.url)
			w.hookOf(xiaomi, fmt.Sprintf("x%d", n), c.url)
		}
		for n := range events {
			w.plan(fmt.Sprintf("m%d", n))
		}
		c.want.Store(lanes * events)
		begun := time.Now()
		w.deliver()
		<-c.done
		ours = append(ours, lanes*events/time.Since(begun).Seconds())
		w.stop()

		c = newCounter(b)
		c.want.Store(lanes * events)
		begun = time.Now()
		bare(b, c.url, bytes.Repeat([]byte("x"), 1600), workers, lanes*events)
		<-c.done
		theirs = append(theirs, lanes*events/time.Since(begun).Seconds())
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	b.ReportMetric(ours[rounds/2], "deliveries/s")
	b.ReportMetric(theirs[rounds/2], "bare/s")
	b.ReportMetric(ours[rounds/2]/theirs[rounds/2], "ratio")
}

func bare(b *testing.B, url string, body []byte, workers, requests int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer client.CloseIdleConnections()
	var left atomic.Int64
	left.Store(int64(requests))
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				r, err := client.Post(url, "application/json", bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
			}
		})
	}
	all.Wait()
}

// BenchmarkLatency is how long after it was recorded an event is received, at low load, with the fsync.
func BenchmarkLatency(b *testing.B) {
	c := newCounter(b)
	took := make(chan time.Duration, 1)
	c.at = func(body []byte) {
		const key = `"timestamp":"`
		text := body[bytes.Index(body, []byte(key))+len(key):]
		at, err := time.Parse(time.RFC3339Nano, string(text[:bytes.IndexByte(text, '"')]))
		if err != nil {
			b.Error(err)
		}
		took <- time.Since(at)
	}
	w := benchWorld(b)
	w.agree("a")
	w.hook("ops", c.url)
	w.deliver()
	var all []time.Duration
	for n := range 300 {
		w.plan(fmt.Sprintf("m%d", n))
		all = append(all, <-took)
		time.Sleep(3 * time.Millisecond)
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "ms-p99")
	w.stop()
}

// BenchmarkTenThousandEndpoints is what one event for ten thousand endpoints does to commands meanwhile.
func BenchmarkTenThousandEndpoints(b *testing.B) {
	const partners, each = 200, domain.MaxWebhooks
	c := newCounter(b)
	w := benchWorld(b)
	w.agree("a")
	parties := []domain.PartnerID{"nokia"}
	for n := range partners {
		id := domain.PartnerID(fmt.Sprintf("p%d", n))
		parties = append(parties, id)
		w.do(operator, domain.CreatePartner{ID: id, Profile: domain.PartnerProfile{Name: string(id), Country: "FI", TimeZone: "UTC"}})
		who := domain.Actor{Partner: id, Member: "pm", Role: domain.Manager}
		for k := range each {
			w.hookOf(who, fmt.Sprintf("h%d", k), c.url, func(s *domain.WebhookSettings) { s.Events = []string{"milestone.planned"} })
		}
	}
	w.do(operator, domain.DraftAgreement{ID: "wide", Terms: domain.Terms{Title: "Wide", Parties: parties, EffectiveOn: 20180101, AcceptanceDays: 10}})
	for _, p := range parties {
		w.do(domain.Actor{Partner: p, Member: "pm", Role: domain.Manager}, domain.SignAgreement{ID: "wide"})
	}
	w.do(nokia, domain.CreateProject{
		Ref: domain.ProjectRef{Agreement: "wide", Project: "p"}, Title: "P", Stage: domain.Committed, Lead: "nokia", Participants: parties,
	})
	w.deliver()
	quiet := w.commandTimes("q", 400, nil)
	c.want.Store(partners * each)
	begun := time.Now()
	w.do(nokia, domain.PlanMilestone{
		Ref: domain.MilestoneRef{Agreement: "wide", Project: "p", Milestone: "m"}, Plan: domain.Plan{Title: "T", Owner: "nokia", DueOn: 20300101},
	})
	var all time.Duration
	busy := w.commandTimes("b", 100_000, func() bool {
		select {
		case <-c.done:
			all = time.Since(begun)
			return true
		default:
			return false
		}
	})
	b.ReportMetric(all.Seconds(), "s-all")
	b.ReportMetric(float64(len(busy)), "commands-meanwhile")
	for name, times := range map[string][]time.Duration{"quiet": quiet, "busy": busy} {
		b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "ms-"+name+"-median")
		b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "ms-"+name+"-p99")
	}
	w.stop()
}

// commandTimes gives commands one after the other and returns how long they took, sorted.
func (w *world) commandTimes(prefix string, n int, done func() bool) (times []time.Duration) {
	for k := range n {
		if done != nil && done() {
			break
		}
		begun := time.Now()
		w.plan(fmt.Sprintf("%s%d", prefix, k))
		times = append(times, time.Since(begun))
	}
	slices.Sort(times)
	return times
}

// BenchmarkOneHangs is how long after it was recorded an event reaches nineteen receivers, with a twentieth that takes
// everything and hangs, and without it.
func BenchmarkOneHangs(b *testing.B) {
	p99 := func(hangs bool) float64 {
		release := make(chan struct{})
		last := newTool(b, func(http.ResponseWriter, hit) {
			if hangs {
				<-release
			}
		})
		b.Cleanup(func() { close(release) }) // before the receiver is closed
		var mu sync.Mutex
		var all []time.Duration
		c := newCounter(b)
		c.at = func(body []byte) {
			const key = `"timestamp":"`
			text := body[bytes.Index(body, []byte(key))+len(key):]
			at, _ := time.Parse(time.RFC3339Nano, string(text[:bytes.IndexByte(text, '"')]))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, time.Since(at))
		}
		w := benchWorld(b)
		w.agree("a")
		for n := range 19 {
			w.hook(fmt.Sprintf("h%d", n), c.url)
		}
		w.hook("last", last.URL)
		w.deliver()
		const events = 100
		c.want.Store(19 * events)
		for n := range events {
			w.plan(fmt.Sprintf("m%d", n))
			time.Sleep(2 * time.Millisecond)
		}
		<-c.done
		w.engine.cfg.Drain = time.Millisecond
		w.stop()
		slices.Sort(all)
		return float64(all[len(all)*99/100].Microseconds()) / 1000
	}
	without, with := p99(false), p99(true)
	b.ReportMetric(without, "ms-p99-without")
	b.ReportMetric(with, "ms-p99-with")
	b.ReportMetric(with/without, "ratio")
}
