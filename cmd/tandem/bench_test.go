package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/redis/redistest"
)

// The benchmarks measure Tandem and a reference, each in its own process, in interleaved rounds, and print the
// ratio, because other load on the machine affects both. Run them with `task bench`. They ignore b.N.

const benchRounds = 15

// BenchmarkPoll compares the status poll, token check included, with a bare Echo handler that writes the same
// headers and bytes.
func BenchmarkPoll(b *testing.B) {
	program := start(b, b.TempDir(), "serve")
	world := arrange(program)
	for i := range 60 {
		program.do(201, world.nokia, "POST", "/v1/agreements/agreement-0/projects/p/milestones", fmt.Sprintf(`{"id":"poll-%d","title":"Milestone %d of the poll","owner":"nokia","due_on":"2031-01-31"}`, i, i))
	}
	const path = "/v1/partners/xiaomi/milestones"
	page := program.do(200, world.xiaomi, "GET", path, "")
	reference := startReference(b, page)
	for _, tc := range []struct{ name, ours, theirs string }{
		{"200", get(path, world.xiaomi, ""), get("/page", world.xiaomi, "")},
		{"304", get(path, world.xiaomi, page.header.Get("Etag")), get("/page", world.xiaomi, page.header.Get("Etag"))},
	} {
		b.Run(tc.name, func(b *testing.B) {
			const connections, requests = 4, 4000
			result := compare(b,
				func() []time.Duration {
					return storm(b, program.url, connections, requests, tc.name, func(int, int) string { return tc.ours })
				},
				func() []time.Duration {
					return storm(b, reference, connections, requests, tc.name, func(int, int) string { return tc.theirs })
				})
			result.report(b, fmt.Sprintf("poll %s (%d bytes)", tc.name, len(page.body)), "bare Echo")
		})
	}
}

// BenchmarkCommand compares a progress report over HTTP, answered after its fsync, with a bare Echo POST handler
// that group-commits the same bytes to SQLite.
func BenchmarkCommand(b *testing.B) {
	program := start(b, b.TempDir(), "serve")
	world := arrange(program)
	paths := benchMilestones(program, world)
	sample := program.do(200, world.nokia, "POST", paths[0]+"/progress", `{"percent":1}`)
	reference := startReference(b, sample)
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			requests := 250 * min(callers, 32)
			result := compare(b,
				func() []time.Duration {
					return storm(b, program.url, callers, requests, "200", func(caller, n int) string {
						return post(paths[caller%len(paths)]+"/progress", world.nokia, fmt.Sprintf(`{"percent":%d}`, n%100))
					})
				},
				func() []time.Duration {
					body := string(sample.body)
					return storm(b, reference, callers, requests, "200", func(int, int) string { return post("/append", "", body) })
				})
			result.report(b, fmt.Sprintf("commands, %d callers", callers), "bare Echo + SQLite group commit")
		})
	}
}

// BenchmarkRedisCommand does the same on a Redis server that syncs every write. The reference is a bare Echo
// POST handler that only runs the append script. A command takes two synced writes: one to the command queue,
// one to the log.
func BenchmarkRedisCommand(b *testing.B) {
	server := redistest.Start(b)
	program := start(b, b.TempDir(), "serve", "--redis", server.URL())
	world := arrange(program)
	paths := benchMilestones(program, world)
	sample := program.do(200, world.nokia, "POST", paths[0]+"/progress", `{"percent":1}`)
	reference := startRedisReference(b, server.URL(), sample)
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			requests := 250 * min(callers, 32)
			result := compare(b,
				func() []time.Duration {
					return storm(b, program.url, callers, requests, "200", func(caller, n int) string {
						return post(paths[caller%len(paths)]+"/progress", world.nokia, fmt.Sprintf(`{"percent":%d}`, n%100))
					})
				},
				func() []time.Duration {
					body := `{"milestone":"bench-1","percent":17,"before":16}`
					return storm(b, reference, callers, requests, "200", func(caller, _ int) string {
						return post(fmt.Sprintf("/append/%d", caller), "", body)
					})
				})
			result.report(b, fmt.Sprintf("commands on Redis, %d callers", callers), "bare Echo + append script")
		})
	}
}

// benchMilestones creates milestones in several agreements, and so in several partitions. It returns their
// paths.
func benchMilestones(program *program, world world) []string {
	var paths []string
	for i := range 32 {
		agreement := world.agreements[i%len(world.agreements)]
		id := fmt.Sprintf("bench-%d", i)
		program.do(201, world.nokia, "POST", "/v1/agreements/"+agreement+"/projects/p/milestones", fmt.Sprintf(`{"id":%q,"title":"M","owner":"nokia","due_on":"2031-01-31"}`, id))
		path := "/v1/agreements/" + agreement + "/projects/p/milestones/" + id
		program.do(200, world.nokia, "POST", path+"/start", `{}`)
		paths = append(paths, path)
	}
	return paths
}

// comparison has the results of both sides.
type comparison struct {
	ours, theirs side
	ratios       []float64 // of the rates, by round
}

type side struct {
	rates     []float64 // requests per second, by round
	latencies []time.Duration
}

// run runs one round and returns its rate.
func (s *side) run(round func() []time.Duration) float64 {
	begin := time.Now()
	latencies := round()
	rate := float64(len(latencies)) / time.Since(begin).Seconds()
	s.rates = append(s.rates, rate)
	s.latencies = append(s.latencies, latencies...)
	return rate
}

// compare runs both sides in turn, with alternating order, after one warm-up round of each.
func compare(b *testing.B, ours, theirs func() []time.Duration) comparison {
	b.Helper()
	ours()
	theirs()
	var result comparison
	for round := range benchRounds {
		var own, other float64
		if round%2 == 0 {
			own, other = result.ours.run(ours), result.theirs.run(theirs)
		} else {
			other, own = result.theirs.run(theirs), result.ours.run(ours)
		}
		result.ratios = append(result.ratios, own/other)
	}
	return result
}

func (c comparison) report(b *testing.B, what, reference string) {
	b.Helper()
	ratio := quantile(c.ratios, 0.5)
	b.ReportMetric(ratio, "ratio")
	b.ReportMetric(quantile(c.ours.rates, 0.5), "ours/s")
	b.ReportMetric(quantile(c.theirs.rates, 0.5), "reference/s")
	b.ReportMetric(0, "ns/op")
	fmt.Printf("\n%s: %.2f of %s (quartiles %.2f to %.2f of %d rounds)\n", what, ratio, reference, quantile(c.ratios, 0.25), quantile(c.ratios, 0.75), len(c.ratios))
	for _, s := range []struct {
		name string
		side side
	}{{"ours", c.ours}, {"reference", c.theirs}} {
		fmt.Printf("  %-9s %8.0f per second; median %7v, p99 %7v\n", s.name, quantile(s.side.rates, 0.5),
			quantile(s.side.latencies, 0.5).Round(time.Microsecond), quantile(s.side.latencies, 0.99).Round(time.Microsecond))
	}
}

func quantile[T float64 | time.Duration](values []T, fraction float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(fraction*float64(len(sorted))), len(sorted)-1)]
}

// storm sends requests over several connections, one at a time per connection, and returns their durations. It
// writes the requests to the connections, because the client of net/http would cost more than the servers.
func storm(b *testing.B, url string, connections, requests int, status string, request func(connection, n int) string) []time.Duration {
	b.Helper()
	each := requests / connections
	took := make([][]time.Duration, connections)
	failures := make([]error, connections)
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() {
			took[i], failures[i] = converse(strings.TrimPrefix(url, "http://"), each, status, func(n int) string { return request(i, n) })
		})
	}
	all.Wait()
	for _, err := range failures {
		require.NoError(b, err)
	}
	return slices.Concat(took...)
}

func converse(address string, requests int, status string, request func(n int) string) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	took := make([]time.Duration, 0, requests)
	for n := range requests {
		begin := time.Now()
		if _, err := io.WriteString(conn, request(n)); err != nil {
			return nil, err
		}
		if err := receive(in, status); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	return took, nil
}

func receive(in *bufio.Reader, status string) error {
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if !strings.HasPrefix(response.Status, status) {
		var problem json.RawMessage
		_ = json.NewDecoder(response.Body).Decode(&problem)
		return fmt.Errorf("status %s: %s", response.Status, problem)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func get(path, token, tag string) string {
	request := "GET " + path + " HTTP/1.1\r\nHost: tandem\r\n"
	if token != "" {
		request += "Authorization: Bearer " + token + "\r\n"
	}
	if tag != "" {
		request += "If-None-Match: " + tag + "\r\n"
	}
	return request + "\r\n"
}

func post(path, token, body string) string {
	request := "POST " + path + " HTTP/1.1\r\nHost: tandem\r\nContent-Type: application/json\r\n"
	if token != "" {
		request += "Authorization: Bearer " + token + "\r\n"
	}
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", request, len(body), body)
}
