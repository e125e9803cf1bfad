package projections_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/sqlite"
	"tandem/projections"
)

// history is the size of a generated log: partners in pairs, an agreement for each pair, projects and milestones, then
// reports, forecasts and comments in turn.
type history struct {
	agreements, projects, milestones, events int
}

// million is the history of the restart target: 100,000 milestones, 1,000,000 events. The
// environment variable TANDEM_BENCH_EVENTS sets another number of events.
func million(b *testing.B) history {
	events := 1_000_000
	if text := os.Getenv("TANDEM_BENCH_EVENTS"); text != "" {
		var err error
		events, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	return history{agreements: 20, projects: 10, milestones: events / 10 / 200, events: events}
}

// writeTo stores the history in a log, in batches of commits of one event.
func (x history) writeTo(b *testing.B, log eventlog.Log) {
	w := &bulkWriter{b: b, log: log, at: time.Date(2017, 7, 5, 9, 0, 0, 0, time.UTC), chains: map[eventlog.Partition]*bulkChain{}, versions: map[string]uint64{}}
	var refs []domain.MilestoneRef
	for n := range x.agreements {
		one, two := domain.PartnerID(fmt.Sprintf("one-%02d", n)), domain.PartnerID(fmt.Sprintf("two-%02d", n))
		agreement := domain.AgreementID(fmt.Sprintf("agreement-%02d", n))
		for _, partner := range []domain.PartnerID{one, two} {
			w.add(domain.Stream{Partner: partner}, "", "", domain.PartnerCreated{Profile: domain.PartnerProfile{Name: string(partner), Country: "FI", TimeZone: "Europe/Helsinki"}})
		}
		parties := []domain.PartnerID{one, two}
		w.add(domain.Stream{Agreement: agreement}, one, "", domain.AgreementDrafted{Terms: domain.Terms{Title: "Agreement", Parties: parties, EffectiveOn: 20170705, ForecastToleranceDays: 10}})
		w.add(domain.Stream{Agreement: agreement}, one, "", domain.AgreementActivated{})
		for k := range x.projects {
			stream := domain.Stream{Agreement: agreement, Project: domain.ProjectID(fmt.Sprintf("project-%02d", k))}
			w.add(stream, one, "", domain.ProjectCreated{Title: "Project", Stage: domain.Committed, Lead: one, Participants: parties})
			for m := range x.milestones {
				ref := domain.MilestoneRef{Agreement: agreement, Project: stream.Project, Milestone: domain.MilestoneID(fmt.Sprintf("milestone-%05d", m))}
				refs = append(refs, ref)
				w.add(stream, one, string(ref.Milestone), domain.MilestonePlanned{Plan: domain.Plan{
					Title: fmt.Sprintf("Milestone %d of it", m), Owner: one, Acceptors: []domain.PartnerID{two},
					DueOn: domain.NewDate(2018, 1, 1+m%700), Criteria: []string{"72 h at line rate"},
				}})
				w.add(stream, one, string(ref.Milestone), domain.MilestoneStarted{})
			}
		}
	}
	for n := w.n; n < x.events; n++ {
		x.happen(w, n, refs[n%len(refs)])
	}
	w.flush()
}

// happen adds one more event to a milestone.
func (x history) happen(w *bulkWriter, n int, ref domain.MilestoneRef) {
	stream := domain.Stream{Agreement: ref.Agreement, Project: ref.Project}
	one := domain.PartnerID("one-" + ref.Agreement[len("agreement-"):])
	round := n / 50_000
	switch round % 3 {
	case 0:
		w.add(stream, one, string(ref.Milestone), domain.MilestoneProgressed{To: domain.Report{Percent: round, Health: domain.Amber, Note: "optics late"}, From: domain.Report{Percent: round - 1}})
	case 1:
		w.add(stream, one, string(ref.Milestone), domain.ForecastMoved{To: domain.Forecast{Partner: one, On: domain.NewDate(2018, 4, round%28+1), Reason: "optics late"}, From: domain.NewDate(2018, 3, 15)})
	default:
		w.add(stream, one, string(ref.Milestone), domain.MilestoneCommented{Text: "The second batch of optics arrives on Monday."})
	}
}

type bulkWriter struct {
	b        *testing.B
	log      eventlog.Log
	at       time.Time
	n        int
	pending  int
	chains   map[eventlog.Partition]*bulkChain
	versions map[string]uint64
}

type bulkChain struct {
	lease   eventlog.Lease
	stored  eventlog.Head
	head    eventlog.Head
	commits []eventlog.Commit
}

func (w *bulkWriter) add(stream domain.Stream, who domain.PartnerID, subject string, payload domain.Payload) {
	stored, data, err := domain.EncodeEvent(payload)
	require.NoError(w.b, err)
	w.n++
	w.at = w.at.Add(time.Millisecond)
	name := stream.String()
	w.versions[name]++
	c := eventlog.Commit{
		Partition: eventlog.PartitionOf(stream.Root()), Stream: name, Version: w.versions[name],
		Actor: string(who) + "-manager", Partner: string(who), RecordedAt: w.at,
		Events: []eventlog.Event{{Type: stored, Subject: subject, Audience: "shared", Data: data}},
	}
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(w.n))
	sum := sha256.Sum256(number[:])
	copy(c.Command[:], sum[:])
	copy(c.Events[0].Salt[:], sum[16:])
	chain := w.chains[c.Partition]
	if chain == nil {
		lease, err := w.log.Own(context.Background(), c.Partition)
		require.NoError(w.b, err)
		chain = &bulkChain{lease: lease}
		w.chains[c.Partition] = chain
	}
	c.Seal(chain.head)
	chain.head = c.Head()
	chain.commits = append(chain.commits, c)
	if w.pending++; w.pending == 4000 {
		w.flush()
	}
}

func (w *bulkWriter) flush() {
	for partition, chain := range w.chains {
		if len(chain.commits) > 0 {
			require.NoError(w.b, w.log.Append(context.Background(), eventlog.Batch{
				Partition: partition, Fence: chain.lease.Fence(), Head: chain.stored, Commits: chain.commits,
			}))
			chain.stored, chain.commits = chain.head, nil
		}
	}
	w.pending = 0
}

// bigLog writes the history to a new SQLite log and returns its directory.
func bigLog(b *testing.B) string {
	dir := filepath.Join(b.TempDir(), "data")
	log, err := sqlite.Open(context.Background(), sqlite.Config{Dir: dir})
	require.NoError(b, err)
	million(b).writeTo(b, log)
	require.NoError(b, log.Close())
	return dir
}

func openLog(b *testing.B, dir string) eventlog.Log {
	log, err := sqlite.Open(context.Background(), sqlite.Config{Dir: dir})
	require.NoError(b, err)
	return log
}

func benchConfig(log eventlog.Log) projections.Config {
	h := newFixtureOn(nil, log)
	return h.config()
}

// BenchmarkReplay opens the SQLite log and folds the whole history.
func BenchmarkReplay(b *testing.B) {
	dir := bigLog(b)
	for b.Loop() {
		log := openLog(b, dir)
		model := start(b, benchConfig(log))
		require.NoError(b, model.Health())
		require.NoError(b, model.stop())
		require.NoError(b, log.Close())
	}
	b.ReportMetric(float64(million(b).events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkRestart opens the SQLite log and starts from a snapshot of all of it.
func BenchmarkRestart(b *testing.B) {
	dir := bigLog(b)
	log := openLog(b, dir)
	cfg := benchConfig(log)
	cfg.Dir = dir
	model := start(b, cfg)
	began := time.Now()
	require.NoError(b, model.stop())
	took := time.Since(began)
	require.NoError(b, log.Close())
	stat, err := os.Stat(filepath.Join(dir, "image.snapshot"))
	require.NoError(b, err)
	for b.Loop() {
		log := openLog(b, dir)
		cfg.Log = log
		model := start(b, cfg)
		require.NoError(b, model.Health())
		require.NoError(b, model.stop())
		require.NoError(b, log.Close())
	}
	b.ReportMetric(took.Seconds(), "s/write")
	b.ReportMetric(float64(stat.Size())/1e6, "MB")
}

// BenchmarkMemory reports the live heap per milestone.
func BenchmarkMemory(b *testing.B) {
	dir := bigLog(b)
	log := openLog(b, dir)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	model := start(b, benchConfig(log))
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		require.NoError(b, model.Health())
	}
	x := million(b)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(x.agreements*x.projects*x.milestones), "B/milestone")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
	require.NoError(b, model.stop())
	require.NoError(b, log.Close())
}

func pageOf50(view *projections.View) (projections.Answer, error) {
	list, next, err := view.Milestones(projections.MilestoneQuery{Limit: 50})
	return projections.Answer{Version: view.Version(), Body: api.Milestones{Partner: "xiaomi", Milestones: list, NextCursor: next}}, err
}

func imageOf50(b *testing.B) *runningModel {
	h := newFixture(b)
	h.settle()
	for n := range 50 {
		h.plan(domain.MilestoneID(fmt.Sprintf("m%d", n)), domain.NewDate(2018, 1, 1+n))
		h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef(domain.MilestoneID(fmt.Sprintf("m%d", n))), On: domain.NewDate(2018, 4, 15)})
	}
	cfg := h.config()
	cfg.Now = time.Now
	return h.follow(b, cfg)
}

func BenchmarkPageHit(b *testing.B) {
	model := imageOf50(b)
	viewer := viewerOf("xiaomi")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := model.Page(viewer, "/v1/partners/xiaomi/milestones?limit=50", pageOf50); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPageHitParallel(b *testing.B) {
	model := imageOf50(b)
	viewer := viewerOf("xiaomi")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := model.Page(viewer, "/v1/partners/xiaomi/milestones?limit=50", pageOf50); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkRender renders a page of 50 milestones that is not cached.
func BenchmarkRender(b *testing.B) {
	model := imageOf50(b)
	viewer := viewerOf("xiaomi")
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if _, err := model.Page(viewer, strconv.Itoa(n), pageOf50); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	h := newFixture(b)
	h.settle()
	hash := sha256.Sum256([]byte("secret"))
	h.do("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Partner: "nokia", Token: "t"}, Name: "t", Role: domain.Viewer, Hash: hash[:]})
	model := h.follow(b, h.config())
	now := h.clock.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := model.Authenticate(hash, now); !ok {
			b.Fatal("the token is live")
		}
	}
}

// BenchmarkStatus reads the status of a partner with 5,000 milestones.
func BenchmarkStatus(b *testing.B) {
	dir := bigLog(b)
	log := openLog(b, dir)
	model := start(b, benchConfig(log))
	b.ReportAllocs()
	for b.Loop() {
		_ = viewed(model, viewerOf("two-07"), (*projections.View).Status)
	}
	require.NoError(b, model.stop())
	require.NoError(b, log.Close())
}

// BenchmarkApply follows a live log: groups of 32 commits of one event each, appended and applied.
func BenchmarkApply(b *testing.B) {
	h := newFixture(b)
	h.settle()
	h.plan("fp4", 20180330)
	model := h.follow(b, h.config())
	stream := domain.Stream{Agreement: agreementID, Project: projectID}
	stored, data, err := domain.EncodeEvent(domain.MilestoneProgressed{To: domain.Report{Percent: 40, Health: domain.Amber, Note: "optics late"}})
	require.NoError(b, err)
	at := h.clock.Now()
	for b.Loop() {
		b.StopTimer()
		group := make([]*eventlog.Commit, 32)
		for n := range group {
			group[n] = h.commit(managerOf("nokia"), stream, at)
			group[n].Events = []eventlog.Event{{Type: stored, Subject: "fp4", Audience: "shared", Data: data}}
		}
		b.StartTimer()
		h.append(group...)
		if err := model.WaitHead(context.Background(), group[0].Partition, h.heads[group[0].Partition].Seq); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(32*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkFeed reads a page of 50 events of an agreement from the middle of its feed.
func BenchmarkFeed(b *testing.B) {
	log := openLog(b, bigLog(b))
	model := start(b, benchConfig(log))
	viewer := viewerOf("one-00")
	page, _, err := model.agreementEvents(b.Context(), viewer, "agreement-00", "", 200)
	require.NoError(b, err)
	require.Len(b, page.Events, 200)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := model.agreementEvents(b.Context(), viewer, "agreement-00", *page.NextCursor, 50); err != nil {
			b.Fatal(err)
		}
	}
}
