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

func keptPage(size int, changes *atomic.Uint64, used int64) *kept {
	k := &kept{page: newPage(make([]byte, size), "", 1, ""), changes: changes, expires: time.Unix(1<<40, 0)}
	k.used.Store(used)
	return k
}

func TestAFloodOfKeysCannotExhaustTheCache(t *testing.T) {
	c := newPageCache()
	var changes atomic.Uint64
	v := Viewer{Partner: "nokia"}
	hot := cacheKey{v, "the page that everybody polls"}
	now := time.Unix(1_000_000, 0)
	c.put(hot, keptPage(20_000, &changes, now.Unix()))
	for n := range 30_000 {
		now = now.Add(time.Second)
		c.put(cacheKey{v, fmt.Sprintf("?x=%d", n)}, keptPage(20_000, &changes, now.Unix()))
		if n%10 == 0 && c.get(hot) != nil {
			require.True(t, c.get(hot).fresh(now))
		}
	}
	for n := range c.shards {
		s := &c.shards[n]
		total := 0
		for at, k := range s.pages {
			total += cost(at, k)
		}
		require.Equal(t, total, s.bytes)
		require.LessOrEqual(t, s.bytes, shardBytes)
		require.LessOrEqual(t, len(s.pages), shardPages)
	}
	require.NotNil(t, c.get(hot), "what is in use stays")
	c.put(hot, keptPage(largestPage, &changes, now.Unix()))
	require.Nil(t, c.get(hot), "a huge page is not kept")
}

func TestEvictionPrefersStalePages(t *testing.T) {
	var old, current atomic.Uint64
	s := &cacheShard{pages: map[cacheKey]*kept{}}
	for n := range evictionTries {
		changes := &current
		if n == 3 {
			changes = &old
		}
		at := cacheKey{Viewer{}, fmt.Sprint(n)}
		s.pages[at] = keptPage(10, changes, int64(n))
		s.bytes += cost(at, s.pages[at])
	}
	old.Add(1)
	s.evict()
	require.Len(t, s.pages, evictionTries-1)
	require.NotContains(t, s.pages, cacheKey{Viewer{}, "3"})
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

// everything has a field of every kind that snapshots can hold.
type everything struct {
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

func drawEverything(t *rapid.T) everything {
	x := everything{
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
	c, err := codecOf(reflect.TypeFor[everything]())
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		x := drawEverything(t)
		b := encode(c, x)
		y, err := decodeSection(c, reflect.TypeFor[everything](), b)
		require.NoError(t, err)
		require.Equal(t, x, y)
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		_, err = decodeSection(c, reflect.TypeFor[everything](), b[:cut])
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
	s, err := newSchema()
	require.NoError(t, err)
	again, err := newSchema()
	require.NoError(t, err)
	require.Equal(t, s.hash, again.hash)
}

// Clients hold positions for long: what was given out before any loss stays as it is.
func TestPositionsOfTheFirstEpoch(t *testing.T) {
	require.Equal(t, "1.a.7", rootCount{1, "a", 7}.String())
	require.Equal(t, "s1.AQ", encodeSet(nil))
	require.Equal(t, "s1.AQZAbm9raWEDAWGAAQ", encodeSet([]rootCount{{1, "@nokia", 3}, {1, "a", 128}}))
	require.Equal(t, "s1.AAZAbm9raWEDAQFhgAEC", encodeSet([]rootCount{{1, "@nokia", 3}, {2, "a", 128}}), "of two epochs")
}

func FuzzPosition(f *testing.F) {
	f.Add("1.nokia-xiaomi-2017.42")
	f.Add("1.@nokia.7")
	f.Add(encodeSet([]rootCount{{1, "@nokia", 3}, {1, "a", 1 << 60}}))
	f.Add(encodeSet([]rootCount{{1, "@nokia", 3}, {2, "a", 1 << 60}}))
	f.Add("3.a.1")
	f.Fuzz(func(t *testing.T, text string) {
		roots, err := parsePosition(text)
		if err != nil {
			require.ErrorIs(t, err, ErrPosition)
			return
		}
		again, err := parsePosition(encodeSet(roots))
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
	s, err := newSchema()
	require.NoError(f, err)
	f.Add(encode(s.codec[milestonesSection], []savedMilestone{{Entity: &domain.Milestone{Plan: domain.Plan{Title: "M"}}, History: []uint32{1, 2}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decodeSection(s.codec[milestonesSection], s.types[milestonesSection], b)
		if err != nil {
			require.ErrorIs(t, err, errSection)
			return
		}
		require.IsType(t, []savedMilestone{}, v)
	})
}

func TestARootsCapacityIsGuarded(t *testing.T) {
	s := newStore(newIdentities())
	r := newRoot("agreement/a", "a")
	r.audiences = make([]audience, 1<<16)
	_, err := r.code(s, []domain.PartnerID{"nokia"})
	require.ErrorIs(t, err, errTooMany)
}
