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

// BenchmarkEncodeEvent encodes the same examples.
func BenchmarkEncodeEvent(b *testing.B) {
	for _, stored := range EventTypes() {
		payload, err := DecodeEvent(stored, examples(b, stored)[stored+".json"])
		require.NoError(b, err)
		b.Run(stored, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := EncodeEvent(payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecide decides and folds the most frequent commands of a partition's owner. It counts decisions per
// second of CPU time, garbage collection included, so that other load on the machine has less influence. A
// ballast gives the collector the same work as in the program.
func BenchmarkDecide(b *testing.B) {
	ballast := make([]byte, 64<<20)
	defer runtime.KeepAlive(ballast)
	ref := MilestoneRef{"a", "p", "m"}
	nokia, xiaomi := PartnerID("nokia"), PartnerID("xiaomi")
	for name, round := range map[string][]struct {
		by PartnerID
		Command
	}{
		"progress":              {{nokia, ReportProgress{MilestoneRef: ref, Percent: new(40), Health: new(Amber), Note: new("optics late")}}},
		openChange + "progress": {{nokia, ReportProgress{MilestoneRef: ref, Percent: new(40), Health: new(Amber), Note: new("optics late")}}},
		"forecast":              {{xiaomi, MoveForecast{MilestoneRef: ref, On: 2018_05_01, Reason: "optics late"}}},
		"comment":               {{xiaomi, CommentMilestone{MilestoneRef: ref, Text: "Optics arrive on Monday."}}},
		"deliver and reject": {
			{nokia, DeliverMilestone{MilestoneRef: ref}},
			{xiaomi, RejectMilestone{MilestoneRef: ref, Reasons: []string{"41 h only"}}},
		},
		"deliver, accept by one of two, reject": {
			{nokia, DeliverMilestone{MilestoneRef: ref, Evidence: []Evidence{{Title: "Trial report", URL: "https://example.com/trial.pdf"}}}},
			{xiaomi, AcceptMilestone{MilestoneRef: ref, Note: "72 h passed"}},
			{"zte", RejectMilestone{MilestoneRef: ref, Reasons: []string{"41 h only"}}},
		},
		"deliver, accept on conditions, close them, reject": {
			{nokia, DeliverMilestone{MilestoneRef: ref}},
			{xiaomi, AcceptMilestone{MilestoneRef: ref, Conditions: []Requirement{{Text: "Signed report", DueOn: 2018_04_13}, {Text: "Spare optics", DueOn: 2018_04_30}}}},
			{xiaomi, AcceptMilestone{MilestoneRef: ref}},
			{"zte", RejectMilestone{MilestoneRef: ref, Reasons: []string{"41 h only"}}},
		},
	} {
		b.Run(name, func(b *testing.B) {
			world := benchWorld(b)
			if strings.HasPrefix(name, openChange) {
				propose(b, world)
			}
			header := Header{Stream: ref.Stream(), Subject: "m", RecordedAt: time.Unix(1515369600, 0)}
			dc := DecisionContext{At: header.RecordedAt, Today: 2018_03_30}
			b.ReportAllocs()
			n, begin := 0, coreTime(b)
			for b.Loop() {
				for _, step := range round {
					dc.Actor = Actor{Partner: step.by, Member: "m", Role: Manager, MaySign: true}
					events, err := Decide(world, step.Command, dc)
					if err != nil {
						b.Fatal(err)
					}
					header.Commit++
					for _, event := range events {
						header.Audience = event.Audience
						world.Apply(header, event.Payload)
					}
					n++
				}
			}
			b.ReportMetric(float64(n)/(coreTime(b)-begin).Seconds(), "decisions/core-s")
		})
	}
}

// coreTime returns the CPU time of this process.
func coreTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const openChange = "with a change request open, "

// propose opens a change request of the milestone.
func propose(b *testing.B, world *World) {
	b.Helper()
	c := ProposeChange{ProjectRef: ProjectRef{"a", "p"}, Reason: "optics late", Milestones: []WantedChange{{Milestone: "m"}}}
	events, err := Decide(world, c, DecisionContext{Actor: Actor{Partner: "nokia", Member: "m", Role: Manager, MaySign: true}, At: time.Unix(1515369600, 0)})
	require.NoError(b, err)
	for _, event := range events {
		world.Apply(Header{Stream: c.Stream(), Subject: event.Subject, Audience: event.Audience, RecordedAt: time.Unix(1515369600, 0)}, event.Payload)
	}
}

// benchWorld returns a state with a started milestone that nokia owns and two others accept.
func benchWorld(b *testing.B) *World {
	l := newLedger(b)
	parties := []PartnerID{"nokia", "xiaomi", "zte"}
	at := time.Unix(1515369600, 0).UTC()
	do := func(partner PartnerID, command Command) {
		_, refusal := l.do(command, DecisionContext{Actor: Actor{Partner: partner, Member: "m", Role: Manager, MaySign: true}, At: at, Today: 2018_01_08})
		require.Nil(b, refusal)
	}
	do("nokia", DraftAgreement{"a", Terms{Title: "A", Parties: parties, EffectiveOn: 2018_01_01, ExpiresOn: 2019_12_31}})
	for _, partner := range parties {
		do(partner, SignAgreement{AgreementID: "a", Signatory: "S"})
	}
	do("nokia", CreateProject{ProjectRef: ProjectRef{"a", "p"}, Title: "P", Stage: Committed, Lead: "nokia", Participants: parties})
	for _, partner := range parties[1:] {
		do(partner, CallStage{ProjectRef: ProjectRef{"a", "p"}, Move: MoveCommit})
	}
	do("nokia", PlanMilestone{MilestoneRef: MilestoneRef{"a", "p", "m"}, Plan: Plan{Title: "M", Owner: "nokia", DueOn: 2018_03_30}})
	do("nokia", StartMilestone{MilestoneRef{"a", "p", "m"}})
	return NewFork(l.plain)
}

// BenchmarkReplay decodes and folds the stored history of milestones, as at each start of a node.
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
			world := NewWorld()
			world.ReplaceInPlace(inPlace)
			header := Header{Stream: Stream{Agreement: "a", Project: "p"}, Audience: Shared, RecordedAt: time.Unix(1515369600, 0)}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				header.Subject = "m" + string(rune('a'+n%20)) + string(rune('a'+n/20%20))
				for i, stored := range types {
					payload, err := DecodeEvent(stored, history[i])
					if err != nil {
						b.Fatal(err)
					}
					header.Commit++
					world.Apply(header, payload)
					n++
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
