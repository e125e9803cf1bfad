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
	"tandem/eventlog/wakeup"
)

// countingReceiver counts requests and accepts them.
type countingReceiver struct {
	url   string
	count atomic.Int64
	want  atomic.Int64
	done  wakeup.Signal // want is reached
	at    func(body []byte)
}

func newCountingReceiver(b *testing.B) *countingReceiver {
	receiver := &countingReceiver{done: wakeup.New()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		if receiver.at != nil {
			receiver.at(body)
		}
		if receiver.count.Add(1) == receiver.want.Load() {
			receiver.done.Notify()
		}
	})}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })
	receiver.url = "http://" + listener.Addr().String() + "/"
	return receiver
}

func benchWorld(b *testing.B) *world {
	log, err := sqlite.Open(b.Context(), sqlite.Config{Dir: b.TempDir()})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, log.Close()) })
	return openWorld(b, log, &clock{real: true}, func(cfg *Config) { cfg.FlushInterval, cfg.AttemptTimeout = 0, 0 })
}

// BenchmarkDeliveries measures the messages per second that a hundred lanes send to a local receiver, and the
// requests per second of 64 workers with a plain Go client. Rounds are interleaved.
func BenchmarkDeliveries(b *testing.B) {
	const lanes, events, rounds, workers = 100, 100, 5, 64
	var ours, theirs []float64
	for range rounds {
		receiver := newCountingReceiver(b)
		world := benchWorld(b)
		world.agree("a")
		for i := range lanes / 2 {
			world.hookOf(nokia, fmt.Sprintf("n%d", i), receiver.url)
			world.hookOf(xiaomi, fmt.Sprintf("x%d", i), receiver.url)
		}
		for i := range events {
			world.plan(fmt.Sprintf("m%d", i))
		}
		receiver.want.Store(lanes * events)
		startedAt := time.Now()
		world.startSending()
		<-receiver.done
		ours = append(ours, lanes*events/time.Since(startedAt).Seconds())
		world.stop()

		receiver = newCountingReceiver(b)
		receiver.want.Store(lanes * events)
		startedAt = time.Now()
		bareClient(b, receiver.url, bytes.Repeat([]byte("x"), 1600), workers, lanes*events)
		<-receiver.done
		theirs = append(theirs, lanes*events/time.Since(startedAt).Seconds())
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	b.ReportMetric(ours[rounds/2], "deliveries/s")
	b.ReportMetric(theirs[rounds/2], "bare/s")
	b.ReportMetric(ours[rounds/2]/theirs[rounds/2], "ratio")
}

func bareClient(b *testing.B, url string, body []byte, workers, requests int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer client.CloseIdleConnections()
	var left atomic.Int64
	left.Store(int64(requests))
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				response, err := client.Post(url, "application/json", bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		})
	}
	all.Wait()
}

// BenchmarkLatency measures the time from the recording of an event to its receipt, at low load, including the fsync.
func BenchmarkLatency(b *testing.B) {
	receiver := newCountingReceiver(b)
	took := make(chan time.Duration, 1)
	receiver.at = func(body []byte) {
		const key = `"timestamp":"`
		text := body[bytes.Index(body, []byte(key))+len(key):]
		at, err := time.Parse(time.RFC3339Nano, string(text[:bytes.IndexByte(text, '"')]))
		if err != nil {
			b.Error(err)
		}
		took <- time.Since(at)
	}
	world := benchWorld(b)
	world.agree("a")
	world.hook("ops", receiver.url)
	world.startSending()
	var all []time.Duration
	for i := range 300 {
		world.plan(fmt.Sprintf("m%d", i))
		all = append(all, <-took)
		time.Sleep(3 * time.Millisecond)
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "ms-p99")
	world.stop()
}

// BenchmarkTenThousandEndpoints measures the latency of commands while one event is sent to ten thousand endpoints.
func BenchmarkTenThousandEndpoints(b *testing.B) {
	const partners, each = 200, domain.MaxWebhooks
	receiver := newCountingReceiver(b)
	world := benchWorld(b)
	world.agree("a")
	parties := []domain.PartnerID{"nokia"}
	for i := range partners {
		id := domain.PartnerID(fmt.Sprintf("p%d", i))
		parties = append(parties, id)
		world.do(operator, domain.CreatePartner{PartnerID: id, Profile: domain.PartnerProfile{Name: string(id), Country: "FI", TimeZone: "UTC"}})
		who := domain.Actor{Partner: id, Member: "pm", Role: domain.Manager, MaySign: true}
		for k := range each {
			world.hookOf(who, fmt.Sprintf("h%d", k), receiver.url, func(settings *domain.WebhookSettings) { settings.Events = []string{"milestone.planned"} })
		}
	}
	world.do(operator, domain.DraftAgreement{AgreementID: "wide", Terms: domain.Terms{Title: "Wide", Parties: parties, EffectiveOn: 20180101, AcceptanceDays: 10}})
	for _, partner := range parties {
		world.do(domain.Actor{Partner: partner, Member: "pm", Role: domain.Manager, MaySign: true}, domain.SignAgreement{AgreementID: "wide", Signatory: "Chief executive"})
	}
	world.do(nokia, domain.CreateProject{
		ProjectRef: domain.ProjectRef{Agreement: "wide", Project: "p"}, Title: "P", Stage: domain.Committed, Lead: "nokia", Participants: parties,
	})
	world.startSending()
	quiet := world.commandTimes("q", 400, nil)
	receiver.want.Store(partners * each)
	startedAt := time.Now()
	world.do(nokia, domain.PlanMilestone{
		MilestoneRef: domain.MilestoneRef{Agreement: "wide", Project: "p", Milestone: "m"}, Plan: domain.Plan{Title: "T", Owner: "nokia", DueOn: 20300101},
	})
	var all time.Duration
	busy := world.commandTimes("b", 100_000, func() bool {
		select {
		case <-receiver.done:
			all = time.Since(startedAt)
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
	world.stop()
}

// commandTimes runs commands one after the other and returns their durations, sorted.
func (w *world) commandTimes(prefix string, n int, done func() bool) (times []time.Duration) {
	for i := range n {
		if done != nil && done() {
			break
		}
		startedAt := time.Now()
		w.plan(fmt.Sprintf("%s%d", prefix, i))
		times = append(times, time.Since(startedAt))
	}
	slices.Sort(times)
	return times
}

// BenchmarkOneHangs measures the time from the recording of an event to its receipt by nineteen receivers, with and
// without a twentieth receiver that hangs.
func BenchmarkOneHangs(b *testing.B) {
	p99 := func(hangs bool) float64 {
		release := make(chan struct{})
		last := newReceiver(b, func(http.ResponseWriter, receivedMessage) {
			if hangs {
				<-release
			}
		})
		b.Cleanup(func() { close(release) }) // before the receiver is closed
		var mu sync.Mutex
		var all []time.Duration
		receiver := newCountingReceiver(b)
		receiver.at = func(body []byte) {
			const key = `"timestamp":"`
			text := body[bytes.Index(body, []byte(key))+len(key):]
			at, _ := time.Parse(time.RFC3339Nano, string(text[:bytes.IndexByte(text, '"')]))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, time.Since(at))
		}
		world := benchWorld(b)
		world.agree("a")
		for i := range 19 {
			world.hook(fmt.Sprintf("h%d", i), receiver.url)
		}
		world.hook("last", last.URL)
		world.startSending()
		const events = 100
		receiver.want.Store(19 * events)
		for i := range events {
			world.plan(fmt.Sprintf("m%d", i))
			time.Sleep(2 * time.Millisecond)
		}
		<-receiver.done
		world.engine.cfg.DrainTimeout = time.Millisecond
		world.stop()
		slices.Sort(all)
		return float64(all[len(all)*99/100].Microseconds()) / 1000
	}
	without, with := p99(false), p99(true)
	b.ReportMetric(without, "ms-p99-without")
	b.ReportMetric(with, "ms-p99-with")
	b.ReportMetric(with/without, "ratio")
}
