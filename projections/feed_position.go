package projections

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
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

// positionAt returns a place in a root.
func (s *store) positionAt(index *eventIndex, count uint64) rootPosition {
	return rootPosition{firstEpoch + s.epochs[index.partition], index.name, count}
}

// epochReached says how a position stands to the present: the epoch is over (ErrPositionLost), it has not
// come (false), or it is now.
func (s *store) epochReached(root rootPosition) (bool, error) {
	now := firstEpoch + s.epochs[root.partition()]
	if root.epoch < now {
		return false, ErrPositionLost
	}
	return root.epoch == now, nil
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

// positions returns where the viewer stands in everything that it may see, sorted by root.
func (v *View) positions() []rootPosition {
	var roots []rootPosition
	switch {
	case v.viewer.Operator:
		for _, partner := range v.store.partners {
			if partner.entity != nil {
				roots = append(roots, v.store.positionAt(partner.index, partner.index.visibleCount("")))
			}
		}
	case v.node.entity != nil:
		roots = append(roots, v.store.positionAt(v.node.index, v.node.index.visibleCount(v.node.id)))
	}
	for _, id := range v.counterparties() {
		if partner := v.store.partners[id]; partner != nil {
			roots = append(roots, v.store.positionAt(partner.index, partner.profileMark.Events))
		}
	}
	for _, agreement := range v.agreements() {
		roots = append(roots, v.store.positionAt(agreement.index, agreement.index.visibleCount(v.viewer.Partner)))
	}
	slices.SortFunc(roots, func(one, other rootPosition) int { return strings.Compare(one.name, other.name) })
	return roots
}

// countIn returns where the viewer stands in one root; false when it may not see it.
func (v *View) countIn(root string) (uint64, bool) {
	id, directory := strings.CutPrefix(root, "@")
	if !directory {
		if agreement := v.agreement(domain.AgreementID(root)); agreement != nil {
			return agreement.index.visibleCount(v.viewer.Partner), true
		}
		return 0, false
	}
	partner := v.partner(domain.PartnerID(id))
	switch {
	case partner == nil:
		return 0, false
	case v.directory(partner.id) != nil:
		return partner.index.visibleCount(v.viewer.Partner), true
	default:
		return partner.profileMark.Events, true
	}
}

// Position returns where the viewer stands in one agreement, or in everything for the empty id.
func (v *View) Position(agreement domain.AgreementID) string {
	if agreement == "" {
		return encodePositions(v.positions())
	}
	root := rootPosition{name: string(agreement)}
	root.count, _ = v.countIn(root.name)
	root.epoch = firstEpoch + v.store.epochs[root.partition()]
	return root.String()
}

// Position returns where v stands in one agreement, or in everything for the empty id.
func (m *ReadModel) Position(viewer Viewer, agreement domain.AgreementID) (position string) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.store.view(viewer, m.cfg.Now(), "").Position(agreement)
}

// WaitPosition waits until all of a position is applied, ctx ends or the image halts. For what v
// may not see it waits as for what never comes, and for what lies in a partition that has lost
// commits not at all, since nothing of it is served. A text that is no position is an ErrPosition; a
// position of before an accepted loss is an ErrPositionLost.
func (m *ReadModel) WaitPosition(ctx context.Context, viewer Viewer, position string) error {
	wanted, err := parsePosition(position)
	if err != nil {
		return err
	}
	return m.waitUntil(ctx, func() (bool, <-chan struct{}, error) {
		m.mu.RLock()
		defer m.mu.RUnlock()
		view := m.store.view(viewer, m.cfg.Now(), "")
		for _, root := range wanted {
			switch present, err := m.store.epochReached(root); {
			case err != nil:
				return true, nil, err
			case m.store.halted[root.partition()]:
			case !present || !view.reached(root):
				return false, view.node.changed(viewer.Scope), nil
			}
		}
		return true, nil, nil
	})
}

// reached reports whether the viewer stands at a place or behind it.
func (v *View) reached(root rootPosition) bool {
	count, ok := v.countIn(root.name)
	return ok && count >= root.count
}

// startIn returns where a feed's position stands in a root, the beginning when it does not name
// it, and how many events it leaves out: all, while its epoch has not come.
func (s *store) startIn(position []rootPosition, index *eventIndex) (start rootPosition, from uint64, err error) {
	for _, root := range position {
		if root.name != index.name {
			continue
		}
		present, err := s.epochReached(root)
		if !present {
			return root, math.MaxUint64, err
		}
		return root, root.count, nil
	}
	return s.positionAt(index, 0), 0, nil
}

// parseAfter reads where a feed goes on; the empty text is the beginning.
func parseAfter(after string) ([]rootPosition, error) {
	if after == "" {
		return nil, nil
	}
	position, err := parsePosition(after)
	if err != nil {
		return nil, fmt.Errorf("after %.100q: %w", after, err)
	}
	slices.SortFunc(position, func(one, other rootPosition) int {
		return cmp.Or(strings.Compare(one.name, other.name), cmp.Compare(other.count, one.count))
	})
	return position, nil
}
