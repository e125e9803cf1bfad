package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Apply cannot fail: not with any order of events, with missing entities, or with values that no decision
// produces.
func TestApplyAcceptsAnyEvent(t *testing.T) {
	stored := EventTypes()
	rapid.Check(t, func(t *rapid.T) {
		l := newLedger(t)
		for range rapid.IntRange(1, 80).Draw(t, "events") {
			name := rapid.SampledFrom(stored).Draw(t, "type")
			data := `{}`
			if rapid.Bool().Draw(t, "filled") {
				data = text(t, drawPayload(t, name))
			}
			payload, err := DecodeEvent(name, []byte(data))
			require.NoError(t, err)
			l.record(drawStream.Draw(t, "stream"), DecisionContext{At: time.Unix(1515369600, 0)}, []Event{{
				Subject:  rapid.SampledFrom([]string{"", "m", "n"}).Draw(t, "subject"),
				Audience: rapid.SampledFrom([]Audience{Shared, PrivateTo("nokia"), PrivateTo("xiaomi"), "public", ""}).Draw(t, "audience"),
				Payload:  payload,
			}})
		}
		l.check()
	})
}

var drawStream = rapid.SampledFrom([]Stream{{}, {Partner: "nokia"}, {Agreement: "a"}, {Agreement: "a", Project: "p"}, {Project: "p"}})

func drawPayload(t *rapid.T, stored string) any {
	value := filled(payloads[stored].goType)
	if stored == "milestone.settled.v1" {
		event := value.Interface().(MilestoneSettled)
		event.Settlement = rapid.SampledFrom(Settlements()).Draw(t, "outcome")
		return event
	}
	return value.Interface()
}

func TestForkLeavesItsBase(t *testing.T) {
	base := NewWorld()
	header := Header{Stream: Stream{Agreement: "a"}, Commit: 1, Audience: Shared, RecordedAt: time.Unix(1515369600, 0)}
	base.Apply(header, AgreementDrafted{Terms{Title: "A"}})
	below := base.Agreement("a")
	fork := NewFork(base)
	require.Same(t, below, fork.Agreement("a"), "what a fork did not change is its base's")

	header.Commit = 2
	fork.Apply(header, AgreementActivated{})
	require.True(t, fork.Agreement("a").Active)
	require.Same(t, below, base.Agreement("a"))
	require.False(t, below.Active)

	header.Commit = 3
	fork.Apply(header, AgreementSigned{Signature: Signature{Partner: "nokia"}})
	fork.Prune(2)
	require.True(t, fork.Agreement("a").Active, "a later commit keeps what an earlier one did")
	require.Len(t, fork.Agreement("a").Signatures, 1)
	fork.Prune(3)
	require.Same(t, below, fork.Agreement("a"), "the rest was dropped: the base is the truth again")
}

func TestReplaceInPlace(t *testing.T) {
	world := NewWorld()
	header := Header{Stream: Stream{Agreement: "a"}, Commit: 1, Audience: Shared}
	world.Apply(header, AgreementDrafted{Terms{Title: "A"}})
	first := world.Agreement("a")
	world.ReplaceInPlace(true)
	world.Apply(header, AgreementActivated{})
	require.Same(t, first, world.Agreement("a"))
	world.ReplaceInPlace(false)
	header.Commit = 2
	world.Apply(header, AgreementActivated{})
	second := world.Agreement("a")
	require.NotSame(t, first, second)
	world.Apply(header, AgreementActivated{})
	require.Same(t, second, world.Agreement("a"), "one copy for all events of a commit")
}

func TestVersionsPerPartner(t *testing.T) {
	var versions Versions
	at := time.Date(2018, 1, 8, 12, 0, 0, 0, time.UTC)
	versions.Count(Shared, at)
	versions.Count(PrivateTo("xiaomi"), at.Add(time.Hour))
	versions.Count(PrivateTo("nokia"), at.Add(2*time.Hour))
	versions.Count(PrivateTo("nokia"), at.Add(3*time.Hour))
	before := versions
	versions.Count(PrivateTo("nokia"), at.Add(4*time.Hour))
	for partner, want := range map[PartnerID]struct {
		version uint64
		at      time.Time
	}{"zte": {1, at}, "xiaomi": {2, at.Add(time.Hour)}, "nokia": {4, at.Add(4 * time.Hour)}} {
		t.Run(string(partner), func(t *testing.T) {
			version, changed := versions.For(partner)
			require.Equal(t, want.version, version)
			require.Equal(t, want.at, changed)
		})
	}
	n, _ := before.For("nokia")
	require.EqualValues(t, 3, n, "counting changes no earlier copy")
}
