package projections

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/wire"
)

// A position is the number of events that a reader has read, of those that it can see. For one root its text is
// "<epoch>.<root>.<count>"; the root is an agreement's id, or "@" and a partner's id. The epoch is that of the
// root's partition: 1 plus the number of losses accepted there.
//
// For several roots the text is "s1." and the base64url of their epoch and, for each root in ascending order, the
// length of its name, the name and the count. If the epochs differ the first number is 0 and each count is
// followed by its epoch.

const (
	setPrefix   = "s1."
	firstEpoch  = 1
	mixedEpochs = 0
)

var (
	// ErrPosition means that a text is not a position.
	ErrPosition = errors.New("not a position")
	// ErrPositionLost means that a position is from an epoch before an accepted loss and may count commits that no longer exist.
	ErrPositionLost = errors.New("the position is from before an accepted loss")
)

// RootPosition is a position in one root.
type RootPosition struct {
	Epoch uint64 // of the root's partition: 1, plus 1 for each accepted loss
	Name  string // an agreement's id, or "@" and a partner's for its directory
	Count uint64 // events below the root that the partner may see
}

// String returns the text of the position.
func (r RootPosition) String() string {
	return strconv.FormatUint(r.Epoch, 10) + "." + r.Name + "." + strconv.FormatUint(r.Count, 10)
}

// Partition returns the root's partition. The root need not exist.
func (r RootPosition) Partition() eventlog.Partition {
	if id, directory := strings.CutPrefix(r.Name, "@"); directory {
		return eventlog.PartitionOf(domain.Stream{Partner: domain.PartnerID(id)}.Root())
	}
	return eventlog.PartitionOf(domain.Stream{Agreement: domain.AgreementID(r.Name)}.Root())
}

// EncodePositions returns the text of positions in several roots, which are sorted by name.
func EncodePositions(roots []RootPosition) string {
	shared := commonEpoch(roots)
	b := binary.AppendUvarint(nil, shared)
	for _, root := range roots {
		b = binary.AppendUvarint(wire.AppendBytes(b, root.Name), root.Count)
		if shared == mixedEpochs {
			b = binary.AppendUvarint(b, root.Epoch)
		}
	}
	return setPrefix + base64.RawURLEncoding.EncodeToString(b)
}

func commonEpoch(roots []RootPosition) uint64 {
	if len(roots) == 0 {
		return firstEpoch
	}
	for _, root := range roots {
		if root.Epoch != roots[0].Epoch {
			return mixedEpochs
		}
	}
	return roots[0].Epoch
}

// maxPosition is the length in bytes of the longest text that is parsed.
const maxPosition = 1 << 20

// ParsePosition parses both forms. The error is ErrPosition.
func ParsePosition(text string) ([]RootPosition, error) {
	if len(text) > maxPosition {
		return nil, ErrPosition
	}
	if set, ok := strings.CutPrefix(text, setPrefix); ok {
		return parsePositions(set)
	}
	epoch, rest, _ := strings.Cut(text, ".")
	root, count, _ := strings.Cut(rest, ".")
	number, err := strconv.ParseUint(count, 10, 64)
	if err != nil || !validRoot(root) {
		return nil, ErrPosition
	}
	epochNumber, err := strconv.ParseUint(epoch, 10, 64)
	if err != nil || epochNumber < firstEpoch || strconv.FormatUint(epochNumber, 10) != epoch {
		return nil, ErrPosition
	}
	return []RootPosition{{epochNumber, root, number}}, nil
}

func validRoot(root string) bool { return domain.ValidSlug(strings.TrimPrefix(root, "@")) }

func parsePositions(set string) ([]RootPosition, error) {
	b, err := base64.RawURLEncoding.DecodeString(set)
	if err != nil {
		return nil, ErrPosition
	}
	reader := wire.NewReader(b)
	shared := reader.Uvarint()
	var roots []RootPosition
	for reader.Len() > 0 {
		root := RootPosition{Name: reader.Text(), Count: reader.Uvarint(), Epoch: shared}
		if shared == mixedEpochs {
			root.Epoch = reader.Uvarint()
		}
		if !validRoot(root.Name) || root.Epoch < firstEpoch {
			return nil, ErrPosition
		}
		if n := len(roots); n > 0 && roots[n-1].Name >= root.Name {
			return nil, ErrPosition // not in ascending order, or a root twice
		}
		roots = append(roots, root)
	}
	if reader.Err() != nil || commonEpoch(roots) != shared {
		return nil, ErrPosition // every set of positions has exactly one text
	}
	return roots, nil
}
