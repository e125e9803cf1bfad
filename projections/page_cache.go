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

// Answer is the content of a page before it is rendered.
type Answer struct {
	Version   uint64             // for the viewer, see View.Version
	Body      any                // rendered as JSON
	Agreement domain.AgreementID // whose position the page carries; empty: the position in all of the viewer's
}

// Page is a rendered answer. It must not be changed.
type Page struct {
	Body     []byte
	ETag     string // see ReadModel.ETag
	Position string // of the state that it shows
	Version  uint64

	// The values of its headers in the form of an http.Header.
	ETagHeader, PositionHeader, LengthHeader []string
}

func newPage(body []byte, etag string, version uint64, position string) *Page {
	return &Page{
		Body: body, ETag: etag, Position: position, Version: version,
		ETagHeader: []string{etag}, PositionHeader: []string{position}, LengthHeader: []string{strconv.Itoa(len(body))},
	}
}

// pages renders views and caches the results.
type pages struct {
	cache  *pageCache
	views  *views
	losses *losses
}

// ETag returns the quoted ETag of a body: "<version>-<hash of the bytes>". After accepted losses, which reset
// versions, it is "<losses>.<version>-<hash of the bytes>".
func (p *pages) ETag(version uint64, body []byte) string {
	sum := sha256.Sum256(body)
	tag := strconv.FormatUint(version, 10) + "-" + hex.EncodeToString(sum[:12])
	if losses := p.losses.AcceptedLosses(); losses > 0 {
		tag = strconv.FormatUint(losses, 10) + "." + tag
	}
	return `"` + tag + `"`
}

// Render returns the JSON of a body. Maps are sorted by key, so equal bodies have equal bytes.
func Render(body any) ([]byte, error) { return json.Marshal(body, json.Deterministic(true)) }

// Page returns the rendered answer for a viewer and a key, such as the path and the raw query. The page is
// cached until a change that the viewer's partner can see, or until midnight in a zone that matters to it; a
// cached page takes no lock of the read model and no allocation. Otherwise build runs with a consistent view,
// under the read lock: it must neither wait nor call the read model. Its errors are returned and not cached.
func (p *pages) Page(viewer Viewer, key string, build func(*View) (Answer, error)) (*Page, error) {
	now := p.views.now()
	at := cacheKey{viewer, key}
	if cached := p.cache.get(at); cached != nil && cached.fresh(now) {
		return cached.page, nil
	}
	slot := p.cache.renderLock(at)
	slot.Lock()
	defer slot.Unlock()
	if cached := p.cache.get(at); cached != nil && cached.fresh(now) {
		return cached.page, nil
	}
	cached, err := p.build(viewer, build)
	if err != nil {
		return nil, err
	}
	p.cache.put(at, cached)
	return cached.page, nil
}

// build renders an answer on the present.
func (p *pages) build(viewer Viewer, build func(*View) (Answer, error)) (*cachedPage, error) {
	cached := &cachedPage{}
	var answer Answer
	var position string
	err := p.views.View(viewer, func(view *View) (err error) {
		if answer, err = build(view); err != nil {
			return err
		}
		cached.changes = &view.node.changes
		cached.changesSeen, cached.expires = cached.changes.Load(), view.midnight()
		if view.unknownPartner {
			cached.expires = view.now // there is no change signal for a partner that does not exist
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
	cached.page = newPage(body, p.ETag(answer.Version, body), answer.Version, position)
	return cached, nil
}

// cachedPage is a page and the conditions under which it is fresh.
type cachedPage struct {
	page        *Page
	changes     *atomic.Uint64 // of the viewer's partner
	changesSeen uint64         // value of changes when the page was rendered
	expires     time.Time
	lastUsed    atomic.Int64 // seconds since 1970
}

func (p *cachedPage) fresh(now time.Time) bool {
	if p.changes.Load() != p.changesSeen || !now.Before(p.expires) {
		return false
	}
	if second := now.Unix(); p.lastUsed.Load() != second {
		p.lastUsed.Store(second)
	}
	return true
}

type cacheKey struct {
	viewer Viewer
	key    string
}

// pageCache is bounded in pages and bytes. A full shard evicts the least recently used of a few random pages.
type pageCache struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard
}

const (
	cacheShards     = 32
	maxShardPages   = 2048      // 65,536 in all
	maxShardBytes   = 4 << 20   // 128 MiB in all
	maxPageBytes    = 512 << 10 // larger pages are not cached
	pageOverhead    = 512       // bytes counted for each page in addition to body and key
	evictionSamples = 8
)

type cacheShard struct {
	mu    sync.RWMutex
	pages map[cacheKey]*cachedPage
	bytes int
	locks [8]sync.Mutex // serialise renders of the same key
}

func newPageCache() *pageCache {
	cache := &pageCache{seed: maphash.MakeSeed()}
	for i := range cache.shards {
		cache.shards[i].pages = map[cacheKey]*cachedPage{}
	}
	return cache
}

func (c *pageCache) shard(at cacheKey) (*cacheShard, uint64) {
	hash := maphash.String(c.seed, at.key) ^ maphash.String(c.seed, string(at.viewer.Partner))
	return &c.shards[hash%cacheShards], hash / cacheShards
}

func (c *pageCache) get(at cacheKey) *cachedPage {
	shard, _ := c.shard(at)
	shard.mu.RLock()
	cached := shard.pages[at]
	shard.mu.RUnlock()
	return cached
}

// renderLock returns the lock under which a page is rendered, so that concurrent readers of a key wait for one
// render.
func (c *pageCache) renderLock(at cacheKey) *sync.Mutex {
	shard, hash := c.shard(at)
	return &shard.locks[hash%uint64(len(shard.locks))]
}

func pageSize(at cacheKey, cached *cachedPage) int {
	return len(cached.page.Body) + len(cached.page.Position) + len(at.key) + len(at.viewer.Scope) + pageOverhead
}

func (c *pageCache) put(at cacheKey, cached *cachedPage) {
	shard, _ := c.shard(at)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if old := shard.pages[at]; old != nil {
		shard.drop(at, old)
	}
	size := pageSize(at, cached)
	if size > maxPageBytes {
		return
	}
	for len(shard.pages) >= maxShardPages || shard.bytes+size > maxShardBytes {
		shard.evict()
	}
	shard.pages[at] = cached
	shard.bytes += size
}

func (s *cacheShard) drop(at cacheKey, cached *cachedPage) {
	delete(s.pages, at)
	s.bytes -= pageSize(at, cached)
}

// evict drops the best of a few random candidates: a stale page, otherwise the least recently used one.
func (s *cacheShard) evict() {
	var worst cacheKey
	var found *cachedPage
	tries := 0
	for at, cached := range s.pages { // the order of a map is random
		if found == nil || cached.staleness() > found.staleness() {
			worst, found = at, cached
		}
		if tries++; tries == evictionSamples {
			break
		}
	}
	s.drop(worst, found)
}

// staleness is the greater the less a page is worth keeping.
func (p *cachedPage) staleness() int64 {
	if p.changes.Load() != p.changesSeen {
		return 1
	}
	return -p.lastUsed.Load()
}
