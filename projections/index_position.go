package projections

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"tandem/domain"
	"tandem/eventlog"
)

// A position says how far a reader has come in terms of the events that it may see. One root's is
// "<epoch>.<root>.<count>", the root being an agreement's id or "@" and a partner's. The epoch is
// that of the root's partition: 1, and 1 more for each loss that was accepted there.
//
// The position in several roots is "s1." and the base64url of their epoch, and for each root, sorted,
// its name's length, name and count. When not all are of one epoch, 0 stands in that place and
// each count is followed by its epoch.

const (
	setPrefix   = "s1."
	firstEpoch  = 1
	mixedEpochs = 0
)

var (
	// ErrPosition says that a text is not a position.
	ErrPosition = errors.New("this is not a position")
	// ErrPositionLost says that a position counts commits of before a loss, which may be gone.
	ErrPositionLost = errors.New("the position is of before a loss")
)

// rootPosition is a place in one root.
type rootPosition struct {
	epoch uint64
	name  string
	count uint64
}

func (r rootPosition) String() string {
	return strconv.FormatUint(r.epoch, 10) + "." + r.name + "." + strconv.FormatUint(r.count, 10)
}

// partition is where the root lies, be there such a root or not.
func (r rootPosition) partition() eventlog.Partition {
	if id, directory := strings.CutPrefix(r.name, "@"); directory {
		return eventlog.PartitionOf(domain.Stream{Partner: domain.PartnerID(id)}.Root())
	}
	return eventlog.PartitionOf(domain.Stream{Agreement: domain.AgreementID(r.name)}.Root())
}

// encodePositions returns the position of several roots, which are sorted.
func encodePositions(roots []rootPosition) string {
	shared := commonEpoch(roots)
	b := binary.AppendUvarint(nil, shared)
	for _, root := range roots {
		b = binary.AppendUvarint(b, uint64(len(root.name)))
		b = append(b, root.name...)
		b = binary.AppendUvarint(b, root.count)
		if shared == mixedEpochs {
			b = binary.AppendUvarint(b, root.epoch)
		}
	}
	return setPrefix + base64.RawURLEncoding.EncodeToString(b)
}

func commonEpoch(roots []rootPosition) uint64 {
	if len(roots) == 0 {
		return firstEpoch
	}
	for _, root := range roots {
		if root.epoch != roots[0].epoch {
			return mixedEpochs
		}
	}
	return roots[0].epoch
}

// maxPosition is the greatest length of a position that is read.
const maxPosition = 1 << 20

// parsePosition reads any form of position.
func parsePosition(text string) ([]rootPosition, error) {
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
	return []rootPosition{{epochNumber, root, number}}, nil
}

func validRoot(root string) bool { return domain.ValidSlug(strings.TrimPrefix(root, "@")) }

func parsePositions(set string) ([]rootPosition, error) {
	b, err := base64.RawURLEncoding.DecodeString(set)
	if err != nil {
		return nil, ErrPosition
	}
	shared, b, ok := cutUvarint(b)
	if !ok {
		return nil, ErrPosition
	}
	var roots []rootPosition
	for len(b) > 0 {
		var root rootPosition
		if root, b, ok = cutRoot(b, shared); !ok {
			return nil, ErrPosition
		}
		if n := len(roots); n > 0 && roots[n-1].name >= root.name {
			return nil, ErrPosition // as encodeSet writes them, and no root twice
		}
		roots = append(roots, root)
	}
	if commonEpoch(roots) != shared {
		return nil, ErrPosition // there is one way to write it
	}
	return roots, nil
}

// cutRoot cuts one root off the front of a set.
func cutRoot(b []byte, shared uint64) (root rootPosition, rest []byte, ok bool) {
	length, b, ok := cutUvarint(b)
	if !ok || length > uint64(len(b)) {
		return root, nil, false
	}
	root.name, root.epoch = string(b[:length]), shared
	if root.count, b, ok = cutUvarint(b[length:]); !ok || !validRoot(root.name) {
		return root, nil, false
	}
	if shared == mixedEpochs {
		root.epoch, b, ok = cutUvarint(b)
	}
	return root, b, ok && root.epoch >= firstEpoch
}

func cutUvarint(b []byte) (count uint64, rest []byte, ok bool) {
	count, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, nil, false
	}
	return count, b[size:], true
}
