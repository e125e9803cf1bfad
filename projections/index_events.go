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

// eventIndex is the history below one root of the log, an agreement or a partner's directory: which
// event stands where, and who may see it. It keeps 16 bytes for an event.
type eventIndex struct {
	name       string // in positions: the agreement's id, or "@" and the partner's
	partition  eventlog.Partition
	entries    []indexEntry // in the order of the log; only ever appended to
	readerSets []readerSet
	setCodes   map[string]uint16 // audience by its partners
	readers    map[domain.PartnerID]*readerIndex
}

// indexEntry points to an event in the log. Sequence numbers of one partition end at 2^32.
type indexEntry struct {
	At       int64 // recorded, microseconds since 1970
	Seq      uint32
	Index    uint16 // within its commit
	Audience uint16 // code within the root
}

// readerSet is a set of partners that may see an event. The operator has the empty id.
type readerSet struct {
	partners []domain.PartnerID
	readers  []*readerIndex
}

// readerIndex is one partner's share of a root.
type readerIndex struct {
	reader      *reader
	count       uint64   // events that it may see
	strideIndex []uint32 // places of events 1, 1+stride, 1+2·stride… that it may see
	visible     []bool   // by audience code
}

// stride is the distance of the marks that make finding an event by its position cheap.
const stride = 256

var errIndexFull = errors.New("a root has more events or audiences than the index can name")

func newEventIndex(stored, name string) *eventIndex {
	return &eventIndex{
		name: name, partition: eventlog.PartitionOf(stored),
		setCodes: map[string]uint16{}, readers: map[domain.PartnerID]*readerIndex{},
	}
}

// setCode returns the code of the audience of exactly these partners.
func (e *eventIndex) setCode(partners []domain.PartnerID, find func(domain.PartnerID) *reader) (uint16, error) {
	sorted := slices.Clone(partners)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	var key strings.Builder
	for _, partner := range sorted {
		key.WriteString(string(partner))
		key.WriteByte(',')
	}
	if code, ok := e.setCodes[key.String()]; ok {
		return code, nil
	}
	if len(e.readerSets) > math.MaxUint16 {
		return 0, errIndexFull
	}
	code := uint16(len(e.readerSets))
	e.setCodes[key.String()] = code
	set := readerSet{partners: sorted}
	for _, partner := range sorted {
		set.readers = append(set.readers, e.readerIndex(partner, find))
	}
	e.readerSets = append(e.readerSets, set)
	for _, reader := range e.readers {
		reader.visible = append(reader.visible, slices.Contains(sorted, reader.reader.id))
	}
	return code, nil
}

// readerIndex returns the share of a partner, which exists from its first event on.
func (e *eventIndex) readerIndex(partner domain.PartnerID, find func(domain.PartnerID) *reader) *readerIndex {
	reader, ok := e.readers[partner]
	if !ok {
		reader = &readerIndex{reader: find(partner), visible: make([]bool, len(e.readerSets))}
		e.readers[partner] = reader
		if !strings.HasPrefix(e.name, "@") {
			reader.reader.indexes = append(reader.reader.indexes, e)
		}
	}
	return reader
}

// add appends an event. It returns the event's place.
func (e *eventIndex) add(commit *eventlog.Commit, index int, code uint16) (uint32, error) {
	if commit.Seq > math.MaxUint32 || index > math.MaxUint16 || len(e.entries) >= math.MaxUint32 {
		return 0, errIndexFull
	}
	place := uint32(len(e.entries))
	e.entries = append(e.entries, indexEntry{commit.RecordedAt.UnixMicro(), uint32(commit.Seq), uint16(index), code})
	e.countFor(place, code)
	return place, nil
}

// countFor makes the event at a place one that its audience has.
func (e *eventIndex) countFor(place uint32, code uint16) {
	for _, reader := range e.readerSets[code].readers {
		if reader.count%stride == 0 {
			reader.strideIndex = append(reader.strideIndex, place)
		}
		reader.count++
	}
}

// visibleCount returns how many events of the root partner p may see.
func (e *eventIndex) visibleCount(partner domain.PartnerID) uint64 {
	if reader, ok := e.readers[partner]; ok {
		return reader.count
	}
	return 0
}

// lastSeq returns the sequence number of the root's last commit.
func (e *eventIndex) lastSeq() uint64 {
	if len(e.entries) == 0 {
		return 0
	}
	return uint64(e.entries[len(e.entries)-1].Seq)
}

// eventRef is an event of a root as one partner finds it.
type eventRef struct {
	index    *eventIndex
	entry    indexEntry
	position uint64 // among the events that the partner may see, from 1
}

// after returns up to limit events that p may see, from the one after the given position on.
func (e *eventIndex) after(partner domain.PartnerID, position uint64, limit int) []eventRef {
	reader, ok := e.readers[partner]
	if !ok || position >= reader.count {
		return nil
	}
	refs := make([]eventRef, 0, min(uint64(limit), reader.count-position))
	at := position / stride * stride // events before the mark
	for place := int(reader.strideIndex[position/stride]); place < len(e.entries) && len(refs) < limit; place++ {
		if !reader.visible[e.entries[place].Audience] {
			continue
		}
		if at++; at > position {
			refs = append(refs, eventRef{e, e.entries[place], at})
		}
	}
	return refs
}

// visibleAmong returns those of the given places, which are in order, that p may see and whose position
// is greater than the given one, up to limit of them.
func (e *eventIndex) visibleAmong(partner domain.PartnerID, places []uint32, position uint64, limit int) []eventRef {
	reader, ok := e.readers[partner]
	if !ok {
		return nil
	}
	first := sort.Search(len(places), func(i int) bool { return e.positionOf(reader, places[i]) > position })
	var refs []eventRef
	for _, place := range places[first:] {
		if len(refs) == limit {
			break
		}
		if reader.visible[e.entries[place].Audience] {
			refs = append(refs, eventRef{e, e.entries[place], e.positionOf(reader, place)})
		}
	}
	return refs
}

// positionOf returns how many events x sees up to a place: the position of the event there, if x sees it.
func (e *eventIndex) positionOf(reader *readerIndex, place uint32) uint64 {
	block := sort.Search(len(reader.strideIndex), func(i int) bool { return reader.strideIndex[i] > place }) - 1
	if block < 0 {
		return 0
	}
	count := uint64(block) * stride
	for i := reader.strideIndex[block]; i <= place; i++ {
		if reader.visible[e.entries[i].Audience] {
			count++
		}
	}
	return count
}

// inCommit returns the events of one commit that p may see.
func (e *eventIndex) inCommit(partner domain.PartnerID, seq uint64) []eventRef {
	first := sort.Search(len(e.entries), func(i int) bool { return uint64(e.entries[i].Seq) >= seq })
	var places []uint32
	for i := first; i < len(e.entries) && uint64(e.entries[i].Seq) == seq; i++ {
		places = append(places, uint32(i))
	}
	return e.visibleAmong(partner, places, 0, len(places))
}

// countBefore returns how many events that p may see were recorded before a time.
func (e *eventIndex) countBefore(partner domain.PartnerID, at int64) uint64 {
	reader, ok := e.readers[partner]
	if !ok {
		return 0
	}
	end := sort.Search(len(e.entries), func(i int) bool { return e.entries[i].At >= at })
	for end > 0 && !reader.visible[e.entries[end-1].Audience] {
		end--
	}
	if end == 0 {
		return 0
	}
	return e.positionOf(reader, uint32(end-1))
}

// commitsBetween returns the numbers of the root's commits after one and up to another.
func (e *eventIndex) commitsBetween(after, upTo uint64) []uint64 {
	var seqs []uint64
	first := sort.Search(len(e.entries), func(i int) bool { return uint64(e.entries[i].Seq) > after })
	for _, entry := range e.entries[first:] {
		if seq := uint64(entry.Seq); seq > upTo {
			break
		} else if len(seqs) == 0 || seqs[len(seqs)-1] != seq {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// commitsUpTo returns the numbers of the root's commits up to a last one.
func (e *eventIndex) commitsUpTo(last uint64) []uint64 {
	var seqs []uint64
	for _, entry := range e.entries {
		if seq := uint64(entry.Seq); seq <= last && (len(seqs) == 0 || seqs[len(seqs)-1] != seq) {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}
