package projections

import (
	"fmt"
	"reflect"
	"strings"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections/snapshot"
)

// foldVersion must be raised when events are folded or indexed differently, because a snapshot holds the
// results.
const foldVersion = 4

// The kinds of sections.
const (
	headsSection snapshot.Kind = iota + 1
	directorySection
	agreementSection
	milestonesSection
	namesSection
)

// The contents of the sections.
type (
	savedHeads struct {
		Heads  eventlog.Positions
		Epochs [eventlog.Partitions]uint64 // losses that were accepted
	}
	savedNames struct {
		Version uint64 // commits of the register
		Names   []*domain.ReservedName
	}
	savedDirectory struct {
		ID       domain.PartnerID
		Entity   *domain.Partner
		Version  uint64 // commits of the stream
		Profile  domain.EventCount
		Names    []formerTitle
		Members  []*domain.Member
		Tokens   []*domain.Token
		Webhooks []*domain.Webhook
		Root     savedRoot
	}
	savedRoot struct {
		Audiences [][]domain.PartnerID
		Refs      indexEntries
	}
	savedAgreement struct {
		ID       domain.AgreementID
		Entity   *domain.Agreement
		Version  uint64
		Waiting  []awaitedSignature
		Projects []savedProject
		Titles   []savedTitles
		Root     savedRoot
	}
	savedProject struct {
		ID      domain.ProjectID
		Entity  *domain.Project
		Version uint64
	}
	savedMilestone struct {
		Entity  *domain.Milestone
		History []uint32 // each as its distance from the one before
		Notes   []byte
	}
)

// indexEntries are the entries of an event index. A section stores the differences from one entry to the next,
// which are small.
type indexEntries []indexEntry

// MarshalSection implements snapshot.Marshaler.
func (e *indexEntries) MarshalSection(writer *snapshot.Writer) {
	writer.Uvarint(uint64(len(*e)))
	var last indexEntry
	for _, entry := range *e {
		writer.Varint(entry.At - last.At)
		writer.Uvarint(uint64(entry.Seq - last.Seq))
		writer.Uvarint(uint64(entry.Index))
		writer.Uvarint(uint64(entry.Audience))
		last = entry
	}
}

// UnmarshalSection implements snapshot.Marshaler.
func (e *indexEntries) UnmarshalSection(reader *snapshot.Reader) {
	*e = make(indexEntries, reader.Count(4))
	var last indexEntry
	for i := range *e {
		last = indexEntry{
			At: last.At + reader.Varint(), Seq: last.Seq + uint32(reader.Uvarint()),
			Index: uint16(reader.Uvarint()), Audience: uint16(reader.Uvarint()),
		}
		(*e)[i] = last
	}
}

// newSnapshotFormat returns the format of this version of the program. It changes with the event types, the
// saved types and foldVersion.
func newSnapshotFormat() (*snapshot.Format, error) {
	version := fmt.Sprintf("fold %d; %s", foldVersion, strings.Join(domain.EventTypes(), " "))
	return snapshot.NewFormat(version,
		reflect.TypeFor[savedHeads](), reflect.TypeFor[[]savedDirectory](),
		reflect.TypeFor[savedAgreement](), reflect.TypeFor[[]savedMilestone](), reflect.TypeFor[savedNames]())
}
