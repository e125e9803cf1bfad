package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A party added to a draft does not count earlier events, so it cannot learn how often the draft was edited.
func TestVersionsOfAnAddedParty(t *testing.T) {
	world := NewWorld()
	at := time.Date(2017, 7, 1, 0, 0, 0, 0, time.UTC)
	terms := Terms{Title: "A", Parties: []PartnerID{"nokia", "xiaomi"}, EffectiveOn: 20170705}
	joined := terms
	joined.Parties = []PartnerID{"nokia", "xiaomi", "zte"}
	header := Header{Stream: Stream{Agreement: "a"}, Audience: Shared}
	for i, payload := range []Payload{
		AgreementDrafted{terms},
		AgreementEdited{To: terms, From: terms},
		AgreementEdited{To: joined, From: terms},
		AgreementEdited{To: joined, From: joined},
	} {
		header.Commit, header.RecordedAt = uint64(i+1), at.AddDate(0, 0, i)
		world.Apply(header, payload)
	}
	versions := world.Agreement("a").Versions
	for partner, want := range map[PartnerID]uint64{"nokia": 4, "xiaomi": 4, "zte": 2} {
		t.Run(string(partner), func(t *testing.T) {
			version, _ := versions.For(partner)
			require.Equal(t, want, version)
		})
	}
}

func TestPublicAudience(t *testing.T) {
	participants := []PartnerID{"nokia", "xiaomi"}
	_, private := Public.Private()
	require.False(t, private)
	require.True(t, Public.VisibleTo("xiaomi", participants))
	require.False(t, Public.VisibleTo("zte", participants), "who takes no part reads the public state, not the events")
	var versions Versions
	versions.Count(Shared, time.Unix(1, 0))
	versions.Count(Public, time.Unix(2, 0))
	version, at := versions.For("xiaomi")
	require.EqualValues(t, 2, version)
	require.Equal(t, time.Unix(2, 0).UTC(), at)
}
