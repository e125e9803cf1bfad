package feed_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/projections"
	"tandem/projections/feed"
)

// Lane states that earlier versions have written stay readable, and are written again with the same bytes.
func TestCursorsKeepTheirStoredForm(t *testing.T) {
	for name, stored := range map[string]string{
		"no agreement":   `{}`,
		"two agreements": `{"nokia-xiaomi-2017":[1,42,1499245200000000],"zte":[2,0,0]}`,
	} {
		t.Run(name, func(t *testing.T) {
			var cursor feed.Cursor
			require.NoError(t, json.Unmarshal([]byte(stored), &cursor))
			again, err := json.Marshal(cursor)
			require.NoError(t, err)
			require.Equal(t, stored, string(again))
		})
	}
	empty, err := json.Marshal(feed.Cursor{})
	require.NoError(t, err)
	require.Equal(t, `{}`, string(empty))
	require.Error(t, json.Unmarshal([]byte(`[1]`), new(feed.Cursor)))
}

func TestParseCursor(t *testing.T) {
	cursor, err := feed.ParseCursor("")
	require.NoError(t, err)
	require.True(t, cursor.Equal(feed.Cursor{}))
	one, err := feed.ParseCursor("1.a.7")
	require.NoError(t, err)
	set, err := feed.ParseCursor(projections.EncodePositions([]projections.RootPosition{{Epoch: 1, Name: "a", Count: 7}}))
	require.NoError(t, err)
	require.True(t, one.Equal(set))
	_, err = feed.ParseCursor("yesterday")
	require.ErrorIs(t, err, projections.ErrPosition)
}

func FuzzStoredCursor(f *testing.F) {
	f.Add([]byte(`{"b":[1,42,1499245200000000],"a":[2,0,0]}`))
	f.Fuzz(func(t *testing.T, stored []byte) {
		var cursor, again feed.Cursor
		if json.Unmarshal(stored, &cursor) != nil {
			return
		}
		b, err := json.Marshal(cursor)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &again))
		require.True(t, cursor.Equal(again))
	})
}
