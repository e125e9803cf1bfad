package domain

import (
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkDecodeEvent reads the filled example of every stored event type.
func BenchmarkDecodeEvent(b *testing.B) {
	for _, stored := range EventTypes() {
		data := examples(b, stored)[stored+".json"]
		b.Run(stored, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeEvent(stored, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEncodeEvent writes what BenchmarkDecodeEvent reads.
func BenchmarkEncodeEvent(b *testing.B) {
	for _, stored := range EventTypes() {
		p, err := DecodeEvent(stored, examples(b, stored)[stored+".json"])
		require.NoError(b, err)
		b.Run(stored, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := EncodeEvent(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecide decides and folds what the owner of a partition does most. Decisions are counted per second of
// one core's time, the collector's included, so that other load on the machine does not count. The collector has
// as much to do as in the program, which has a ballast of the same size.
func BenchmarkDecide(b *testing.B) {
	ballast := make([]byte, 64<<20)
	defer runtime.KeepAlive(ballast)
	ref := MilestoneRef{"a", "p", "m"}
	nokia, xiaomi := PartnerID("nokia"), PartnerID("xiaomi")
	for name, round := range map[string][]struct {
		by PartnerID
		Command
	}{
		"progress":              {{nokia, ReportProgress{Ref: ref, Percent: new(40), Health: new(Amber), Note: new("optics late")}}},
		openChange + "progress": {{nokia, ReportProgress{Ref: ref, Percent: new(40), Health: new(Amber), Note: new("optics late")}}},
		"forecast":              {{xiaomi, MoveForecast{Ref: ref, On: 2018_05_01, Reason: "optics late"}}},
		"comment":               {{xiaomi, CommentMilestone{Ref: ref, Text: "Optics arrive on Monday."}}},
		"deliver and reject": {
			{nokia, DeliverMilestone{Ref: ref}},
			{xiaomi, RejectMilestone{Ref: ref, Reasons: []string{"41 h only"}}},
		},
		"deliver, accept by one of two, reject": {
			{nokia, DeliverMilestone{Ref: ref, Evidence: []Evidence{{Title: "Trial report", URL: "https://example.com/trial.pdf"}}}},
			{xiaomi, AcceptMilestone{Ref: ref, Note: "72 h passed"}},
			{"zte", RejectMilestone{Ref: ref, Reasons: []string{"41 h only"}}},
		},
		"deliver, accept on conditions, close them, reject": {
			{nokia, DeliverMilestone{Ref: ref}},
			{xiaomi, AcceptMilestone{Ref: ref, Conditions: []Requirement{{"Signed report", 2018_04_13}, {"Spare optics", 2018_04_30}}}},
			{xiaomi, AcceptMilestone{Ref: ref}},
			{"zte", RejectMilestone{Ref: ref, Reasons: []string{"41 h only"}}},
		},
	} {
		b.Run(name, func(b *testing.B) {
			w := benchWorld(b)
			if strings.HasPrefix(name, openChange) {
				propose(b, w)
			}
			h := Header{Stream: streamOf(ref), Subject: "m", RecordedAt: time.Unix(1515369600, 0)}
			m := Meta{At: h.RecordedAt, Today: 2018_03_30}
			b.ReportAllocs()
			n, begin := 0, coreTime(b)
			for b.Loop() {
				for _, step := range round {
					m.Actor = Actor{Partner: step.by, Member: "m", Role: Manager}
					events, err := Decide(w, step.Command, m)
					if err != nil {
						b.Fatal(err)
					}
					h.Commit++
					for _, e := range events {
						h.Audience = e.Audience
						w.Apply(h, e.Payload)
					}
					n++
				}
			}
			b.ReportMetric(float64(n)/(coreTime(b)-begin).Seconds(), "decisions/core-s")
		})
	}
}

// coreTime is the time that this process has had on any core.
func coreTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const openChange = "with a change request open, "

// propose opens a change request of the milestone.
func propose(b *testing.B, w *World) {
	b.Helper()
	c := ProposeChange{Ref: ProjectRef{"a", "p"}, Reason: "optics late", Milestones: []WantedChange{{Milestone: "m"}}}
	events, err := Decide(w, c, Meta{Actor: Actor{Partner: "nokia", Member: "m", Role: Manager}, At: time.Unix(1515369600, 0)})
	require.NoError(b, err)
	for _, e := range events {
		w.Apply(Header{Stream: c.Stream(), Subject: e.Subject, Audience: e.Audience, RecordedAt: time.Unix(1515369600, 0)}, e.Payload)
	}
}

// benchWorld has a started milestone that nokia owns and two others accept.
func benchWorld(b *testing.B) *World {
	l := newLedger(b)
	parties := []PartnerID{"nokia", "xiaomi", "zte"}
	at := time.Unix(1515369600, 0).UTC()
	do := func(p PartnerID, c Command) {
		_, refusal := l.do(c, Meta{Actor: Actor{Partner: p, Member: "m", Role: Manager}, At: at, Today: 2018_01_08})
		require.Nil(b, refusal)
	}
	do("nokia", DraftAgreement{"a", Terms{Title: "A", Parties: parties, EffectiveOn: 2018_01_01, ExpiresOn: 2019_12_31}})
	for _, p := range parties {
		do(p, SignAgreement{ID: "a"})
	}
	do("nokia", CreateProject{Ref: ProjectRef{"a", "p"}, Title: "P", Stage: Committed, Lead: "nokia", Participants: parties})
	do("nokia", PlanMilestone{Ref: MilestoneRef{"a", "p", "m"}, Plan: Plan{Title: "M", Owner: "nokia", DueOn: 2018_03_30}})
	do("nokia", StartMilestone{MilestoneRef{"a", "p", "m"}})
	return NewFork(l.plain)
}

// BenchmarkReplay decodes and folds the stored history of milestones, as every start does.
func BenchmarkReplay(b *testing.B) {
	for name, inPlace := range map[string]bool{"in place": true, "copying": false} {
		b.Run(name, func(b *testing.B) {
			types := []string{
				"milestone.planned.v1", "milestone.started.v1", "milestone.progressed.v1", "milestone.forecast_moved.v1",
				"milestone.progressed.v1", "milestone.commented.v1", "milestone.delivered.v1", "milestone.accepted.v1",
			}
			history := make([][]byte, len(types))
			for i, stored := range types {
				history[i] = examples(b, stored)[stored+".json"]
			}
			w := NewWorld()
			w.ReplaceInPlace(inPlace)
			h := Header{Stream: Stream{Agreement: "a", Project: "p"}, Audience: Shared, RecordedAt: time.Unix(1515369600, 0)}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				h.Subject = "m" + string(rune('a'+n%20)) + string(rune('a'+n/20%20))
				for i, stored := range types {
					p, err := DecodeEvent(stored, history[i])
					if err != nil {
						b.Fatal(err)
					}
					h.Commit++
					w.Apply(h, p)
					n++
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
