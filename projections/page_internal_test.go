package projections

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
