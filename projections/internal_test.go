package projections

import (
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tandem/domain"
)

func keptPage(size int, changes *atomic.Uint64, used int64) *cachedPage {
	cached := &cachedPage{page: newPage(make([]byte, size), "", 1, ""), changes: changes, expires: time.Unix(1<<40, 0)}
	cached.lastUsed.Store(used)
	return cached
}

func TestAFloodOfKeysCannotExhaustTheCache(t *testing.T) {
	cache := newPageCache()
	var changes atomic.Uint64
	viewer := Viewer{Partner: "nokia"}
	hot := cacheKey{viewer, "the page that everybody polls"}
	now := time.Unix(1_000_000, 0)
	cache.put(hot, keptPage(20_000, &changes, now.Unix()))
	for n := range 30_000 {
		now = now.Add(time.Second)
		cache.put(cacheKey{viewer, fmt.Sprintf("?x=%d", n)}, keptPage(20_000, &changes, now.Unix()))
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
	require.NotNil(t, cache.get(hot), "what is in use stays")
	cache.put(hot, keptPage(maxPageBytes, &changes, now.Unix()))
	require.Nil(t, cache.get(hot), "a huge page is not kept")
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
		shard.pages[at] = keptPage(10, changes, int64(n))
		shard.bytes += pageSize(at, shard.pages[at])
	}
	old.Add(1)
	shard.evict()
	require.Len(t, shard.pages, evictionSamples-1)
	require.NotContains(t, shard.pages, cacheKey{Viewer{}, "3"})
}

func TestNextMidnight(t *testing.T) {
	for _, c := range []struct{ zone, now, next string }{
		{"UTC", "2017-07-05T23:59:59Z", "2017-07-06T00:00:00Z"},
		{"UTC", "2017-07-05T00:00:00Z", "2017-07-06T00:00:00Z"},
		{"Asia/Shanghai", "2017-07-05T15:59:00Z", "2017-07-05T16:00:00Z"},
		{"Europe/Helsinki", "2017-03-25T22:30:00Z", "2017-03-26T21:00:00Z"},   // the short day of spring
		{"America/Sao_Paulo", "2017-10-15T02:30:00Z", "2017-10-15T03:00:00Z"}, // midnight was left out
	} {
		zone, err := time.LoadLocation(c.zone)
		require.NoError(t, err)
		now, err := time.Parse(time.RFC3339, c.now)
		require.NoError(t, err)
		next := nextMidnight(now, zone)
		want, err := time.Parse(time.RFC3339, c.next)
		require.NoError(t, err)
		require.True(t, next.After(now))
		require.False(t, next.After(want), "%s: %s", c.zone, next)
		if c.zone != "America/Sao_Paulo" {
			require.True(t, next.Equal(want), "%s: %s", c.zone, next)
		}
	}
}

// allKinds has a field of every kind that snapshots can hold.
type allKinds struct {
	Text   string
	Yes    bool
	Date   domain.Date
	Number int
	Count  uint64
	At     time.Time
	None   []string
	Some   []string
	Part   *part
	Parts  []*part
	Hash   [32]byte
	Roles  map[domain.RoleName][]domain.PartnerID
	Refs   []ref
}

type part struct{ Name string }

func drawEverything(t *rapid.T) allKinds {
	x := allKinds{
		Text: rapid.String().Draw(t, "text"), Yes: rapid.Bool().Draw(t, "yes"),
		Date: domain.Date(rapid.Int32().Draw(t, "date")), Number: rapid.Int().Draw(t, "number"), Count: rapid.Uint64().Draw(t, "count"),
		At:   time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanos")).UTC(),
		Some: rapid.SliceOf(rapid.SampledFrom([]string{"", "nokia", "xiaomi"})).Draw(t, "some"),
		Refs: []ref{},
	}
	for n := range rapid.IntRange(0, 5).Draw(t, "refs") {
		x.Refs = append(x.Refs, ref{At: rapid.Int64().Draw(t, "at"), Seq: uint32(n), Index: rapid.Uint16().Draw(t, "index"), Audience: rapid.Uint16().Draw(t, "audience")})
	}
	if x.Yes {
		x.Part, x.Parts = &part{"one"}, []*part{nil, {"two"}}
		x.Roles = map[domain.RoleName][]domain.PartnerID{domain.Supplier: {"nokia"}, domain.Customer: nil}
	}
	return x
}

func TestWhatACodecWritesItReads(t *testing.T) {
	codec, err := codecOf(reflect.TypeFor[allKinds]())
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		x := drawEverything(t)
		b := encode(codec, x)
		y, err := decodeSection(codec, reflect.TypeFor[allKinds](), b)
		require.NoError(t, err)
		require.Equal(t, x, y)
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		_, err = decodeSection(codec, reflect.TypeFor[allKinds](), b[:cut])
		require.Error(t, err)
	})
}

func TestSnapshotsRefuseWhatTheyCannotHold(t *testing.T) {
	for _, x := range []reflect.Type{reflect.TypeFor[chan int](), reflect.TypeFor[[]func()](), reflect.TypeFor[struct{ hidden int }](), reflect.TypeFor[map[string]float64]()} {
		_, err := codecOf(x)
		require.ErrorContains(t, err, "snapshots cannot hold")
	}
}

func TestTheSchemaHashFollowsTheTypes(t *testing.T) {
	type a struct{ X []int }
	type b struct{ X []int64 }
	type c struct{ Y []int }
	seen := []string{describe(reflect.TypeFor[time.Time]())}
	for _, x := range []reflect.Type{reflect.TypeFor[a](), reflect.TypeFor[b](), reflect.TypeFor[c](), reflect.TypeFor[*a](), reflect.TypeFor[[2]int](), reflect.TypeFor[map[string]int]()} {
		require.False(t, slices.Contains(seen, describe(x)), describe(x))
		seen = append(seen, describe(x))
	}
	format, err := newSnapshotSchema()
	require.NoError(t, err)
	again, err := newSnapshotSchema()
	require.NoError(t, err)
	require.Equal(t, format.hash, again.hash)
}

// Clients hold positions for long: what was given out before any loss stays as it is.
func TestPositionsOfTheFirstEpoch(t *testing.T) {
	require.Equal(t, "1.a.7", rootPosition{1, "a", 7}.String())
	require.Equal(t, "s1.AQ", encodePositions(nil))
	require.Equal(t, "s1.AQZAbm9raWEDAWGAAQ", encodePositions([]rootPosition{{1, "@nokia", 3}, {1, "a", 128}}))
	require.Equal(t, "s1.AAZAbm9raWEDAQFhgAEC", encodePositions([]rootPosition{{1, "@nokia", 3}, {2, "a", 128}}), "of two epochs")
}

func FuzzPosition(f *testing.F) {
	f.Add("1.nokia-xiaomi-2017.42")
	f.Add("1.@nokia.7")
	f.Add(encodePositions([]rootPosition{{1, "@nokia", 3}, {1, "a", 1 << 60}}))
	f.Add(encodePositions([]rootPosition{{1, "@nokia", 3}, {2, "a", 1 << 60}}))
	f.Add("3.a.1")
	f.Fuzz(func(t *testing.T, text string) {
		roots, err := parsePosition(text)
		if err != nil {
			require.ErrorIs(t, err, ErrPosition)
			return
		}
		again, err := parsePosition(encodePositions(roots))
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

func FuzzSnapshotSection(f *testing.F) {
	format, err := newSnapshotSchema()
	require.NoError(f, err)
	f.Add(encode(format.codec[milestonesSection], []savedMilestone{{Entity: &domain.Milestone{Plan: domain.Plan{Title: "M"}}, History: []uint32{1, 2}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		section, err := decodeSection(format.codec[milestonesSection], format.types[milestonesSection], b)
		if err != nil {
			require.ErrorIs(t, err, errMalformedSection)
			return
		}
		require.IsType(t, []savedMilestone{}, section)
	})
}

func TestARootsCapacityIsGuarded(t *testing.T) {
	state := newStore(newTokenIndex())
	index := newEventIndex("agreement/a", "a")
	index.readerSets = make([]readerSet, 1<<16)
	_, err := index.setCode(state, []domain.PartnerID{"nokia"})
	require.ErrorIs(t, err, errIndexFull)
}
