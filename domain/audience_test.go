package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A party that joins a draft sees from its joining on: how often the draft was edited before is not
// its business.
func TestJoiningADraftCountsFromThen(t *testing.T) {
	w := NewWorld()
	at := time.Date(2017, 7, 1, 0, 0, 0, 0, time.UTC)
	terms := Terms{Title: "A", Parties: []PartnerID{"nokia", "xiaomi"}, EffectiveOn: 20170705}
	joined := terms
	joined.Parties = []PartnerID{"nokia", "xiaomi", "zte"}
	h := Header{Stream: Stream{Agreement: "a"}, Audience: Shared}
	for i, p := range []Payload{
		AgreementDrafted{terms},
		AgreementEdited{To: terms, From: terms},
		AgreementEdited{To: joined, From: terms},
		AgreementEdited{To: joined, From: joined},
	} {
		h.Commit, h.RecordedAt = uint64(i+1), at.AddDate(0, 0, i)
		w.Apply(h, p)
	}
	seen := w.Agreement("a").Seen
	for p, want := range map[PartnerID]uint64{"nokia": 4, "xiaomi": 4, "zte": 2} {
		version, _ := seen.For(p)
		require.Equal(t, want, version, p)
	}
}

func TestWhatIsPublicIsAlsoForThoseWhoTakePart(t *testing.T) {
	those := []PartnerID{"nokia", "xiaomi"}
	_, private := Public.Private()
	require.False(t, private)
	require.True(t, Public.Sees("xiaomi", those))
	require.False(t, Public.Sees("zte", those), "who takes no part reads the public state, not the events")
	var seen Seen
	seen.Count(Shared, time.Unix(1, 0))
	seen.Count(Public, time.Unix(2, 0))
	version, at := seen.For("xiaomi")
	require.EqualValues(t, 2, version)
	require.Equal(t, time.Unix(2, 0).UTC(), at)
}
