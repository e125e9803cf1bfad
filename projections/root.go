package projections

import (
	"errors"
	"math"
	"slices"
	"sort"
	"strings"

	"tandem/domain"
	"tandem/eventlog"
)

// root is the history below one root of the log, an agreement or a partner's directory: which
// event stands where, and who may see it. It keeps 16 bytes for an event.
type root struct {
	name      string // in positions: the agreement's id, or "@" and the partner's
	partition eventlog.Partition
	refs      []ref // in the order of the log; only ever appended to
	audiences []audience
	codes     map[string]uint16 // audience by its partners
	seers     map[domain.PartnerID]*seer
}

// ref points to an event in the log. Sequence numbers of one partition end at 2^32.
type ref struct {
	At       int64 // recorded, microseconds since 1970
	Seq      uint32
	Index    uint16 // within its commit
	Audience uint16 // code within the root
}

// audience is a set of partners that may see an event. The operator has the empty id.
type audience struct {
	partners []domain.PartnerID
	seers    []*seer
}

// seer is one partner's share of a root.
type seer struct {
	node  *partnerNode
	n     uint64   // events that it may see
	marks []uint32 // places of events 1, 1+stride, 1+2·stride… that it may see
	sees  []bool   // by audience code
}

// stride is the distance of the marks that make finding an event by its position cheap.
const stride = 256

var errTooMany = errors.New("a root has more events or audiences than the index can name")

func newRoot(stored, name string) *root {
	return &root{
		name: name, partition: eventlog.PartitionOf(stored),
		codes: map[string]uint16{}, seers: map[domain.PartnerID]*seer{},
	}
}

// code returns the code of the audience of exactly these partners.
func (r *root) code(s *store, partners []domain.PartnerID) (uint16, error) {
	sorted := slices.Clone(partners)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	var key strings.Builder
	for _, p := range sorted {
		key.WriteString(string(p))
		key.WriteByte(',')
	}
	if c, ok := r.codes[key.String()]; ok {
		return c, nil
	}
	if len(r.audiences) > math.MaxUint16 {
		return 0, errTooMany
	}
	c := uint16(len(r.audiences))
	r.codes[key.String()] = c
	a := audience{partners: sorted}
	for _, p := range sorted {
		a.seers = append(a.seers, r.seer(s, p))
	}
	r.audiences = append(r.audiences, a)
	for _, x := range r.seers {
		x.sees = append(x.sees, slices.Contains(sorted, x.node.id))
	}
	return c, nil
}

func (r *root) seer(s *store, p domain.PartnerID) *seer {
	x, ok := r.seers[p]
	if !ok {
		x = &seer{node: s.viewer(p), sees: make([]bool, len(r.audiences))}
		r.seers[p] = x
		if !strings.HasPrefix(r.name, "@") {
			x.node.roots = append(x.node.roots, r)
		}
	}
	return x
}

// add appends an event. It returns the event's place.
func (r *root) add(c *eventlog.Commit, index int, code uint16) (uint32, error) {
	if c.Seq > math.MaxUint32 || index > math.MaxUint16 || len(r.refs) >= math.MaxUint32 {
		return 0, errTooMany
	}
	place := uint32(len(r.refs))
	r.refs = append(r.refs, ref{c.RecordedAt.UnixMicro(), uint32(c.Seq), uint16(index), code})
	r.count(place, code)
	return place, nil
}

// count makes the event at a place one that its audience has.
func (r *root) count(place uint32, code uint16) {
	for _, x := range r.audiences[code].seers {
		if x.n%stride == 0 {
			x.marks = append(x.marks, place)
		}
		x.n++
		x.node.version++
	}
}

// visible returns how many events of the root partner p may see.
func (r *root) visible(p domain.PartnerID) uint64 {
	if x, ok := r.seers[p]; ok {
		return x.n
	}
	return 0
}

// lastSeq returns the sequence number of the root's last commit.
func (r *root) lastSeq() uint64 {
	if len(r.refs) == 0 {
		return 0
	}
	return uint64(r.refs[len(r.refs)-1].Seq)
}

// pick is an event of a root as one partner finds it.
type pick struct {
	root     *root
	ref      ref
	position uint64 // among the events that the partner may see, from 1
}

// after returns up to limit events that p may see, from the one after the given position on.
func (r *root) after(p domain.PartnerID, position uint64, limit int) []pick {
	x, ok := r.seers[p]
	if !ok || position >= x.n {
		return nil
	}
	picks := make([]pick, 0, min(uint64(limit), x.n-position))
	at := position / stride * stride // events before the mark
	for place := int(x.marks[position/stride]); place < len(r.refs) && len(picks) < limit; place++ {
		if !x.sees[r.refs[place].Audience] {
			continue
		}
		if at++; at > position {
			picks = append(picks, pick{r, r.refs[place], at})
		}
	}
	return picks
}

// among returns those of the given places, which are in order, that p may see and whose position
// is greater than the given one, up to limit of them.
func (r *root) among(p domain.PartnerID, places []uint32, position uint64, limit int) []pick {
	x, ok := r.seers[p]
	if !ok {
		return nil
	}
	first := sort.Search(len(places), func(i int) bool { return r.rank(x, places[i]) > position })
	var picks []pick
	for _, place := range places[first:] {
		if len(picks) == limit {
			break
		}
		if x.sees[r.refs[place].Audience] {
			picks = append(picks, pick{r, r.refs[place], r.rank(x, place)})
		}
	}
	return picks
}

// rank returns how many events x sees up to a place: the position of the event there, if x sees it.
func (r *root) rank(x *seer, place uint32) uint64 {
	block := sort.Search(len(x.marks), func(i int) bool { return x.marks[i] > place }) - 1
	if block < 0 {
		return 0
	}
	n := uint64(block) * stride
	for i := x.marks[block]; i <= place; i++ {
		if x.sees[r.refs[i].Audience] {
			n++
		}
	}
	return n
}

// of returns the events of one commit that p may see.
func (r *root) of(p domain.PartnerID, seq uint64) []pick {
	first := sort.Search(len(r.refs), func(i int) bool { return uint64(r.refs[i].Seq) >= seq })
	var places []uint32
	for i := first; i < len(r.refs) && uint64(r.refs[i].Seq) == seq; i++ {
		places = append(places, uint32(i))
	}
	return r.among(p, places, 0, len(places))
}

// before returns how many events that p may see were recorded before a time.
func (r *root) before(p domain.PartnerID, at int64) uint64 {
	x, ok := r.seers[p]
	if !ok {
		return 0
	}
	end := sort.Search(len(r.refs), func(i int) bool { return r.refs[i].At >= at })
	for end > 0 && !x.sees[r.refs[end-1].Audience] {
		end--
	}
	if end == 0 {
		return 0
	}
	return r.rank(x, uint32(end-1))
}
