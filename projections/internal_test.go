package projections

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
)

func newCachedPage(size int, changes *atomic.Uint64, used int64) *cachedPage {
	cached := &cachedPage{page: newPage(make([]byte, size), "", 1, ""), changes: changes, expires: time.Unix(1<<40, 0)}
	cached.lastUsed.Store(used)
	return cached
}

func TestCacheIsBounded(t *testing.T) {
	cache := newPageCache()
	var changes atomic.Uint64
	viewer := Viewer{Partner: "nokia"}
	hot := cacheKey{viewer, "a page that is polled"}
	now := time.Unix(1_000_000, 0)
	cache.put(hot, newCachedPage(20_000, &changes, now.Unix()))
	for n := range 30_000 {
		now = now.Add(time.Second)
		cache.put(cacheKey{viewer, fmt.Sprintf("?x=%d", n)}, newCachedPage(20_000, &changes, now.Unix()))
		if n%10 == 0 && cache.get(hot) != nil {
			require.True(t, cache.get(hot).fresh(now))
		}
	}
	for n := range cache.shards {
		shard := &cache.shards[n]
		total := 0
		for at, cached := range shard.pages {
			total += pageSize(at, cached)
		}
		require.Equal(t, total, shard.bytes)
		require.LessOrEqual(t, shard.bytes, maxShardBytes)
		require.LessOrEqual(t, len(shard.pages), maxShardPages)
	}
	require.NotNil(t, cache.get(hot), "a page in use stays")
	cache.put(hot, newCachedPage(maxPageBytes, &changes, now.Unix()))
	require.Nil(t, cache.get(hot), "a huge page is not cached")
}

func TestEvictionPrefersStalePages(t *testing.T) {
	var old, current atomic.Uint64
	shard := &cacheShard{pages: map[cacheKey]*cachedPage{}}
	for n := range evictionSamples {
		changes := &current
		if n == 3 {
			changes = &old
		}
		at := cacheKey{Viewer{}, fmt.Sprint(n)}
		shard.pages[at] = newCachedPage(10, changes, int64(n))
		shard.bytes += pageSize(at, shard.pages[at])
	}
	old.Add(1)
	shard.evict()
	require.Len(t, shard.pages, evictionSamples-1)
	require.NotContains(t, shard.pages, cacheKey{Viewer{}, "3"})
}

func TestNextMidnight(t *testing.T) {
	for name, row := range map[string]struct {
		zone, now, next string
		skipped         bool // clocks skip midnight, so next is a bound
	}{
		"the second before":           {"UTC", "2017-07-05T23:59:59Z", "2017-07-06T00:00:00Z", false},
		"at midnight":                 {"UTC", "2017-07-05T00:00:00Z", "2017-07-06T00:00:00Z", false},
		"ahead of UTC":                {"Asia/Shanghai", "2017-07-05T15:59:00Z", "2017-07-05T16:00:00Z", false},
		"start of daylight saving":    {"Europe/Helsinki", "2017-03-25T22:30:00Z", "2017-03-26T21:00:00Z", false},
		"daylight saving at midnight": {"America/Sao_Paulo", "2017-10-15T02:30:00Z", "2017-10-15T03:00:00Z", true},
	} {
		t.Run(name, func(t *testing.T) {
			zone, err := time.LoadLocation(row.zone)
			require.NoError(t, err)
			now, err := time.Parse(time.RFC3339, row.now)
			require.NoError(t, err)
			want, err := time.Parse(time.RFC3339, row.next)
			require.NoError(t, err)
			next := nextMidnight(now, zone)
			require.True(t, next.After(now))
			require.False(t, next.After(want), "%s", next)
			if !row.skipped {
				require.True(t, next.Equal(want), "%s", next)
			}
		})
	}
}

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

func FuzzCursor(f *testing.F) {
	f.Add(milestoneKey{20180330, domain.MilestoneRef{Agreement: "a", Project: "p", Milestone: "m"}}.cursor())
	f.Fuzz(func(t *testing.T, text string) {
		key, err := parseCursor(text)
		if err != nil {
			require.ErrorIs(t, err, ErrCursor)
			return
		}
		again, err := parseCursor(key.cursor())
		require.NoError(t, err)
		require.Equal(t, key, again)
	})
}

func TestEventIndexIsBounded(t *testing.T) {
	state := newStore(newTokenIndex())
	index := newEventIndex("agreement/a", "a")
	index.readerSets = make([]readerSet, 1<<16)
	_, err := index.setCode([]domain.PartnerID{"nokia"}, state.reader)
	require.ErrorIs(t, err, errIndexFull)
}
