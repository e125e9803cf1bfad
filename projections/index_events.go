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

// eventIndex lists the events of one root, an agreement or a partner's directory, and who can see each. It
// takes 16 bytes per event.
type eventIndex struct {
	name       string // in positions: the agreement's id, or "@" and the partner's
	partition  eventlog.Partition
	entries    []indexEntry // in the order of the log; append-only
	readerSets []readerSet
	setCodes   map[string]uint16 // index in readerSets, by the partners of the set
	readers    map[domain.PartnerID]*readerIndex
}

// indexEntry refers to an event in the log. A partition holds fewer than 2^32 commits.
type indexEntry struct {
	At       int64 // time of recording, microseconds since 1970
	Seq      uint32
	Index    uint16 // position within the commit
	Audience uint16 // index in readerSets
}

// readerSet is a set of partners that can see the same events. The operator has the empty id.
type readerSet struct {
	partners []domain.PartnerID
	readers  []*readerIndex
}

// readerIndex is the part of an eventIndex that one reader can see.
type readerIndex struct {
	reader      *reader
	count       uint64   // number of events that it can see
	strideIndex []uint32 // places of the visible events 1, 1+stride, 1+2·stride…
	visible     []bool   // by index in readerSets
}

// stride is the number of visible events between two elements of strideIndex, from which a search by position
// starts.
const stride = 256

var errIndexFull = errors.New("the root has more events or sets of readers than the index can hold")

func newEventIndex(stored, name string) *eventIndex {
	return &eventIndex{
		name: name, partition: eventlog.PartitionOf(stored),
		setCodes: map[string]uint16{}, readers: map[domain.PartnerID]*readerIndex{},
	}
}

// setCode returns the code of the set of exactly these partners and adds the set if it is new.
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

// readerIndex returns the part of a partner, which exists from its first event on.
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

// add appends an event and returns its place. The error is errIndexFull.
func (e *eventIndex) add(commit *eventlog.Commit, index int, code uint16) (uint32, error) {
	if commit.Seq > math.MaxUint32 || index > math.MaxUint16 || len(e.entries) >= math.MaxUint32 {
		return 0, errIndexFull
	}
	place := uint32(len(e.entries))
	e.entries = append(e.entries, indexEntry{commit.RecordedAt.UnixMicro(), uint32(commit.Seq), uint16(index), code})
	e.countFor(place, code)
	return place, nil
}

// countFor counts the event at a place for every reader of its set.
func (e *eventIndex) countFor(place uint32, code uint16) {
	for _, reader := range e.readerSets[code].readers {
		if reader.count%stride == 0 {
			reader.strideIndex = append(reader.strideIndex, place)
		}
		reader.count++
	}
}

// firstVisible returns when the first event was recorded that the partner can see, in microseconds since 1970; the end
// of time if it can see none.
func (e *eventIndex) firstVisible(partner domain.PartnerID) int64 {
	if reader, ok := e.readers[partner]; ok && reader.count > 0 {
		return e.entries[reader.strideIndex[0]].At
	}
	return math.MaxInt64
}

// visibleCount returns the number of events that the partner can see.
func (e *eventIndex) visibleCount(partner domain.PartnerID) uint64 {
	if reader, ok := e.readers[partner]; ok {
		return reader.count
	}
	return 0
}

// lastSeq returns the number of the root's last commit, or 0.
func (e *eventIndex) lastSeq() uint64 {
	if len(e.entries) == 0 {
		return 0
	}
	return uint64(e.entries[len(e.entries)-1].Seq)
}

// EventRef refers to an event in the log and its number for one reader.
type EventRef struct {
	index  *eventIndex
	entry  indexEntry
	Number uint64 // among the events of the index that the reader can see, from 1
}

// Root returns the agreement's name in positions.
func (r EventRef) Root() string { return r.index.name }

// RecordedAt returns when the event was recorded, in microseconds since 1970.
func (r EventRef) RecordedAt() int64 { return r.entry.At }

// after returns up to limit events that the partner can see and that follow the given position.
func (e *eventIndex) after(partner domain.PartnerID, position uint64, limit int) []EventRef {
	reader, ok := e.readers[partner]
	if !ok || position >= reader.count {
		return nil
	}
	refs := make([]EventRef, 0, min(uint64(limit), reader.count-position))
	at := position / stride * stride // visible events before that place
	for place := int(reader.strideIndex[position/stride]); place < len(e.entries) && len(refs) < limit; place++ {
		if !reader.visible[e.entries[place].Audience] {
			continue
		}
		if at++; at > position {
			refs = append(refs, EventRef{e, e.entries[place], at})
		}
	}
	return refs
}

// visibleAmong returns up to limit events at the given places, in ascending order, that the partner can see and
// whose position is greater than the given one.
func (e *eventIndex) visibleAmong(partner domain.PartnerID, places []uint32, position uint64, limit int) []EventRef {
	reader, ok := e.readers[partner]
	if !ok {
		return nil
	}
	first := sort.Search(len(places), func(i int) bool { return e.positionOf(reader, places[i]) > position })
	var refs []EventRef
	for _, place := range places[first:] {
		if len(refs) == limit {
			break
		}
		if reader.visible[e.entries[place].Audience] {
			refs = append(refs, EventRef{e, e.entries[place], e.positionOf(reader, place)})
		}
	}
	return refs
}

// positionOf returns the number of events up to and including a place that the reader can see. It is the
// position of the event there if the reader can see it.
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

// countBefore returns the number of events that the partner can see and that were recorded before a time, in
// microseconds since 1970.
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

// commitsBetween returns the numbers of the root's commits in (after, upTo].
func (e *eventIndex) commitsBetween(after, upTo uint64) []uint64 {
	var seqs []uint64
	first := sort.Search(len(e.entries), func(i int) bool { return uint64(e.entries[i].Seq) > after })
	for _, entry := range e.entries[first:] {
		if uint64(entry.Seq) > upTo {
			break
		}
		seqs = append(seqs, uint64(entry.Seq))
	}
	return slices.Compact(seqs)
}
