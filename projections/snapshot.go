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
		Profile  domain.Mark
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
		Waiting  []waitingSince
		Projects []savedProject
		Root     savedRoot
	}
	savedProject struct {
		ID      domain.ProjectID
		Entity  *domain.Project
		Version uint64
		Calls   []callSince
	}
	savedMilestone struct {
		Entity      *domain.Milestone
		DeliveredAt int64
		History     []uint32 // each as its distance from the one before
		Notes       []byte
	}
)

// schema is how this version of the program writes snapshots.
type schema struct {
	hash  [sha256.Size]byte
	types [sectionKinds]reflect.Type
	codec [sectionKinds]codec
}

func newSchema() (*schema, error) {
	s := &schema{types: [sectionKinds]reflect.Type{
		headsSection: reflect.TypeFor[savedHeads](), directorySection: reflect.TypeFor[[]savedDirectory](),
		agreementSection: reflect.TypeFor[savedAgreement](), milestonesSection: reflect.TypeFor[[]savedMilestone](),
	}}
	text := fmt.Sprintf("fold %d; %s", foldVersion, strings.Join(domain.EventTypes(), " "))
	for kind := headsSection; kind < sectionKinds; kind++ {
		var err error
		if s.codec[kind], err = codecOf(s.types[kind]); err != nil {
			return nil, err
		}
		text += "; " + describe(s.types[kind])
	}
	s.hash = sha256.Sum256([]byte(text))
	return s, nil
}

func (s *schema) begin() []byte { return append([]byte(snapshotMagic), s.hash[:]...) }

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
	errOtherSchema = errors.New("the snapshot was written by another version")
	errBroken      = errors.New("the snapshot is damaged")
)

// section is a part of a snapshot that is not decoded yet.
type section struct {
	kind byte
	sum  [sha256.Size]byte
	body []byte
}

// split takes a snapshot apart into its sections, without the last.
func (s *schema) split(b []byte) ([]section, error) {
	begin := s.begin()
	if len(b) < len(begin) || string(b[:len(snapshotMagic)]) != snapshotMagic {
		return nil, errBroken
	}
	if string(b[:len(begin)]) != string(begin) {
		return nil, errOtherSchema
	}
	var sections []section
	for b = b[len(begin):]; len(b) > 0; {
		x := section{kind: b[0]}
		length, rest, ok := cutUvarint(b[1:])
		if !ok || x.kind >= sectionKinds || uint64(len(rest)) < sha256.Size || length > uint64(len(rest)-sha256.Size) {
			return nil, errBroken
		}
		copy(x.sum[:], rest)
		x.body, b = rest[sha256.Size:sha256.Size+length], rest[sha256.Size+length:]
		if x.kind == endSection {
			if len(b) > 0 || sha256.Sum256(x.body) != x.sum {
				return nil, errBroken
			}
			return sections, nil
		}
		sections = append(sections, x)
	}
	return nil, errBroken
}

// open checks and decodes a section.
func (s *schema) open(x section) (any, error) {
	if sha256.Sum256(x.body) != x.sum {
		return nil, errBroken
	}
	return decodeSection(s.codec[x.kind], s.types[x.kind], x.body)
}
