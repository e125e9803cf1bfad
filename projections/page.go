package projections

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"tandem/domain"
)

// Answer is what a read answers with, before it is rendered.
type Answer struct {
	Version   uint64             // as the viewer may know it
	Body      any                // rendered as JSON
	Agreement domain.AgreementID // whose position the answer carries; empty: all of the viewer's
}

// Page is a rendered answer. It must not be changed.
type Page struct {
	Body     []byte
	ETag     string // see Image.ETag
	Position string // of what it shows
	Version  uint64

	// The values of its headers, ready for an http.Header.
	ETagHeader, PositionHeader, LengthHeader []string
}

func newPage(body []byte, etag string, version uint64, position string) *Page {
	return &Page{
		Body: body, ETag: etag, Position: position, Version: version,
		ETagHeader: []string{etag}, PositionHeader: []string{position}, LengthHeader: []string{strconv.Itoa(len(body))},
	}
}

// ETag returns the quoted ETag of an answer: "<version>-<hash of the bytes>". After accepted losses,
// which let versions be counted anew, it is "<losses>.<version>-<hash of the bytes>".
func (i *Image) ETag(version uint64, body []byte) string {
	sum := sha256.Sum256(body)
	tag := strconv.FormatUint(version, 10) + "-" + hex.EncodeToString(sum[:12])
	if n := i.Losses(); n > 0 {
		tag = strconv.FormatUint(n, 10) + "." + tag
	}
	return `"` + tag + `"`
}

// Render returns the bytes that Page would keep. Maps come in the order of their keys, so the same
// answer always gives the same bytes.
func Render(body any) ([]byte, error) { return json.Marshal(body, json.Deterministic(true)) }

// Page returns the rendered answer for a viewer and a key, such as the path and the raw query.
// It is kept until something that the viewer's partner may see changes, or a midnight passes. A
// kept page costs no lock of the image and no allocation. Otherwise build runs on a consistent
// view, under the read lock: it must neither wait nor call the image. Its errors are returned and
// not kept.
func (i *Image) Page(v Viewer, key string, build func(*View) (Answer, error)) (*Page, error) {
	now := i.cfg.Now()
	at := cacheKey{v, key}
	if k := i.pages.get(at); k != nil && k.fresh(now) {
		return k.page, nil
	}
	slot := i.pages.building(at)
	slot.Lock()
	defer slot.Unlock()
	if k := i.pages.get(at); k != nil && k.fresh(now) {
		return k.page, nil
	}
	k, err := i.build(v, build)
	if err != nil {
		return nil, err
	}
	i.pages.put(at, k)
	return k.page, nil
}

// build renders an answer on the present state.
func (i *Image) build(v Viewer, build func(*View) (Answer, error)) (*kept, error) {
	k := &kept{}
	var answer Answer
	var position string
	err := i.View(v, func(view *View) (err error) {
		if answer, err = build(view); err != nil {
			return err
		}
		k.changes = &view.me.changes
		k.built, k.expires = k.changes.Load(), view.midnight()
		if view.alien {
			k.expires = view.now // nothing would tell when its partner comes into being
		}
		position = view.Position(answer.Agreement)
		return nil
	})
	if err != nil {
		return nil, err
	}
	body, err := Render(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("render %T: %w", answer.Body, err)
	}
	k.page = newPage(body, i.ETag(answer.Version, body), answer.Version, position)
	return k, nil
}

// kept is a page and what makes it stale.
type kept struct {
	page    *Page
	changes *atomic.Uint64 // the partner's
	built   uint64         // at this number of changes
	expires time.Time
	used    atomic.Int64 // seconds since 1970, about
}

func (k *kept) fresh(now time.Time) bool {
	if k.changes.Load() != k.built || !now.Before(k.expires) {
		return false
	}
	if t := now.Unix(); k.used.Load() != t {
		k.used.Store(t)
	}
	return true
}

type cacheKey struct {
	viewer Viewer
	key    string
}

// pageCache is bounded in pages and bytes. When a shard is full, the page used least recently of
// a few taken at random goes.
type pageCache struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard
}

const (
	cacheShards   = 32
	shardPages    = 2048      // 65,536 in all
	shardBytes    = 4 << 20   // 128 MiB in all
	largestPage   = 512 << 10 // larger ones are not kept
	pageOverhead  = 512       // bytes counted beside the body and the key
	evictionTries = 8
)

type cacheShard struct {
	mu    sync.RWMutex
	pages map[cacheKey]*kept
	bytes int
	locks [8]sync.Mutex // one render at a time for the same key
}

func newPageCache() *pageCache {
	c := &pageCache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].pages = map[cacheKey]*kept{}
	}
	return c
}

func (c *pageCache) shard(at cacheKey) (*cacheShard, uint64) {
	h := maphash.String(c.seed, at.key) ^ maphash.String(c.seed, string(at.viewer.Partner))
	return &c.shards[h%cacheShards], h / cacheShards
}

func (c *pageCache) get(at cacheKey) *kept {
	s, _ := c.shard(at)
	s.mu.RLock()
	k := s.pages[at]
	s.mu.RUnlock()
	return k
}

// building returns the lock that lets one goroutine render a page while the others wait for it.
func (c *pageCache) building(at cacheKey) *sync.Mutex {
	s, h := c.shard(at)
	return &s.locks[h%uint64(len(s.locks))]
}

func cost(at cacheKey, k *kept) int {
	return len(k.page.Body) + len(k.page.Position) + len(at.key) + len(at.viewer.Scope) + pageOverhead
}

func (c *pageCache) put(at cacheKey, k *kept) {
	s, _ := c.shard(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.pages[at]; old != nil {
		s.drop(at, old)
	}
	size := cost(at, k)
	if size > largestPage {
		return
	}
	for len(s.pages) >= shardPages || s.bytes+size > shardBytes {
		s.evict()
	}
	s.pages[at] = k
	s.bytes += size
}

func (s *cacheShard) drop(at cacheKey, k *kept) {
	delete(s.pages, at)
	s.bytes -= cost(at, k)
}

// evict drops the best candidate of a few: a stale page, else the one used least recently.
func (s *cacheShard) evict() {
	var worst cacheKey
	var found *kept
	tries := 0
	for at, k := range s.pages { // begins at random
		if found == nil || k.staleness() > found.staleness() {
			worst, found = at, k
		}
		if tries++; tries == evictionTries {
			break
		}
	}
	s.drop(worst, found)
}

// staleness is the greater the less a page is worth keeping.
func (k *kept) staleness() int64 {
	if k.changes.Load() != k.built {
		return 1
	}
	return -k.used.Load()
}
