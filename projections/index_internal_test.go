package projections

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/domain"
)

// TestPositionsOfTheFirstEpoch: clients store positions, so their text must not change.
func TestPositionsOfTheFirstEpoch(t *testing.T) {
	require.Equal(t, "1.a.7", RootPosition{1, "a", 7}.String())
	require.Equal(t, "s1.AQ", EncodePositions(nil))
	require.Equal(t, "s1.AQZAbm9raWEDAWGAAQ", EncodePositions([]RootPosition{{1, "@nokia", 3}, {1, "a", 128}}))
	require.Equal(t, "s1.AAZAbm9raWEDAQFhgAEC", EncodePositions([]RootPosition{{1, "@nokia", 3}, {2, "a", 128}}), "of two epochs")
}

func FuzzPosition(f *testing.F) {
	f.Add("1.nokia-xiaomi-2017.42")
	f.Add("1.@nokia.7")
	f.Add(EncodePositions([]RootPosition{{1, "@nokia", 3}, {1, "a", 1 << 60}}))
	f.Add(EncodePositions([]RootPosition{{1, "@nokia", 3}, {2, "a", 1 << 60}}))
	f.Add("3.a.1")
	f.Fuzz(func(t *testing.T, text string) {
		roots, err := ParsePosition(text)
		if err != nil {
			require.ErrorIs(t, err, ErrPosition)
			return
		}
		again, err := ParsePosition(EncodePositions(roots))
		require.NoError(t, err)
		require.Equal(t, roots, again)
	})
}

func TestEventIndexIsBounded(t *testing.T) {
	state := newStore(newTokenIndex(), &memberNames{})
	index := newEventIndex("agreement/a", "a")
	index.readerSets = make([]readerSet, 1<<16)
	_, err := index.setCode([]domain.PartnerID{"nokia"}, state.reader)
	require.ErrorIs(t, err, errIndexFull)
}
