package projections

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"tandem/domain"
	"tandem/eventlog"
)

// A snapshot file is a magic word, the schema hash, and sections: a kind, the length of the
// body, its SHA-256, the body. The last section is empty and says that the file is whole.

const snapshotMagic = "TANDEMIM"

// foldVersion is to be raised whenever events are folded or indexed differently than before,
// because a snapshot holds the results.
const foldVersion = 3

// The kinds of sections.
const (
	endSection byte = iota
	headsSection
	directorySection
	agreementSection
	milestonesSection
	sectionKinds
)

// What the sections hold.
type (
	savedHeads struct {
		Heads  eventlog.Positions
		Epochs [eventlog.Partitions]uint64 // losses that were accepted
	}
	savedDirectory struct {
		ID       domain.PartnerID
		Entity   *domain.Partner
		Version  uint64 // commits of the stream
		Profile  domain.EventCount
		Members  []*domain.Member
		Tokens   []*domain.Token
		Webhooks []*domain.Webhook
		Root     savedRoot
	}
	savedRoot struct {
		Audiences [][]domain.PartnerID
		Refs      []ref
	}
	savedAgreement struct {
		ID       domain.AgreementID
		Entity   *domain.Agreement
		Version  uint64
		Waiting  []awaitedSignature
		Projects []savedProject
		Root     savedRoot
	}
	savedProject struct {
		ID      domain.ProjectID
		Entity  *domain.Project
		Version uint64
		Calls   []openCall
	}
	savedMilestone struct {
		Entity      *domain.Milestone
		DeliveredAt int64
		History     []uint32 // each as its distance from the one before
		Notes       []byte
	}
)

// snapshotSchema is how this version of the program writes snapshots.
type snapshotSchema struct {
	hash  [sha256.Size]byte
	types [sectionKinds]reflect.Type
	codec [sectionKinds]codec
}

func newSnapshotSchema() (*snapshotSchema, error) {
	format := &snapshotSchema{types: [sectionKinds]reflect.Type{
		headsSection: reflect.TypeFor[savedHeads](), directorySection: reflect.TypeFor[[]savedDirectory](),
		agreementSection: reflect.TypeFor[savedAgreement](), milestonesSection: reflect.TypeFor[[]savedMilestone](),
	}}
	text := fmt.Sprintf("fold %d; %s", foldVersion, strings.Join(domain.EventTypes(), " "))
	for kind := headsSection; kind < sectionKinds; kind++ {
		var err error
		if format.codec[kind], err = codecOf(format.types[kind]); err != nil {
			return nil, err
		}
		text += "; " + describe(format.types[kind])
	}
	format.hash = sha256.Sum256([]byte(text))
	return format, nil
}

func (f *snapshotSchema) header() []byte { return append([]byte(snapshotMagic), f.hash[:]...) }

// appendSection appends a section to a snapshot.
func appendSection(b []byte, kind byte, body []byte) []byte {
	b = append(b, kind)
	b = binary.AppendUvarint(b, uint64(len(body)))
	sum := sha256.Sum256(body)
	b = append(b, sum[:]...)
	return append(b, body...)
}

// The reasons not to use a snapshot.
var (
	errOtherSchema     = errors.New("the snapshot was written by another version")
	errDamagedSnapshot = errors.New("the snapshot is damaged")
)

// section is a part of a snapshot that is not decoded yet.
type section struct {
	kind byte
	sum  [sha256.Size]byte
	body []byte
}

// readSections takes a snapshot apart into its sections, without the last.
func (f *snapshotSchema) readSections(b []byte) ([]section, error) {
	begin := f.header()
	if len(b) < len(begin) || string(b[:len(snapshotMagic)]) != snapshotMagic {
		return nil, errDamagedSnapshot
	}
	if string(b[:len(begin)]) != string(begin) {
		return nil, errOtherSchema
	}
	var sections []section
	for b = b[len(begin):]; len(b) > 0; {
		part := section{kind: b[0]}
		length, rest, ok := cutUvarint(b[1:])
		if !ok || part.kind >= sectionKinds || uint64(len(rest)) < sha256.Size || length > uint64(len(rest)-sha256.Size) {
			return nil, errDamagedSnapshot
		}
		copy(part.sum[:], rest)
		part.body, b = rest[sha256.Size:sha256.Size+length], rest[sha256.Size+length:]
		if part.kind == endSection {
			if len(b) > 0 || sha256.Sum256(part.body) != part.sum {
				return nil, errDamagedSnapshot
			}
			return sections, nil
		}
		sections = append(sections, part)
	}
	return nil, errDamagedSnapshot
}

// decode checks and decodes a section.
func (f *snapshotSchema) decode(part section) (any, error) {
	if sha256.Sum256(part.body) != part.sum {
		return nil, errDamagedSnapshot
	}
	return decodeSection(f.codec[part.kind], f.types[part.kind], part.body)
}
