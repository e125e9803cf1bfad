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
	setPrefix  = "s1."
	firstEpoch = 1
	ownEpochs  = 0
)

var (
	// ErrPosition says that a text is not a position.
	ErrPosition = errors.New("this is not a position")
	// ErrPositionLost says that a position counts commits of before a loss, which may be gone.
	ErrPositionLost = errors.New("the position is of before a loss")
)

// rootCount is a place in one root.
type rootCount struct {
	epoch uint64
	root  string
	count uint64
}

func (r rootCount) String() string {
	return strconv.FormatUint(r.epoch, 10) + "." + r.root + "." + strconv.FormatUint(r.count, 10)
}

// partition is where the root lies, be there such a root or not.
func (r rootCount) partition() eventlog.Partition {
	if id, directory := strings.CutPrefix(r.root, "@"); directory {
		return eventlog.PartitionOf(domain.Stream{Partner: domain.PartnerID(id)}.Root())
	}
	return eventlog.PartitionOf(domain.Stream{Agreement: domain.AgreementID(r.root)}.Root())
}

// at returns a place in a root.
func (s *store) at(r *root, count uint64) rootCount {
	return rootCount{firstEpoch + s.epochs[r.partition], r.name, count}
}

// reached says how a position stands to the present: the epoch is over (ErrPositionLost), it has not
// come (false), or it is now.
func (s *store) reached(r rootCount) (bool, error) {
	now := firstEpoch + s.epochs[r.partition()]
	if r.epoch < now {
		return false, ErrPositionLost
	}
	return r.epoch == now, nil
}

// encodeSet returns the position of several roots, which are sorted.
func encodeSet(roots []rootCount) string {
	shared := commonEpoch(roots)
	b := binary.AppendUvarint(nil, shared)
	for _, r := range roots {
		b = binary.AppendUvarint(b, uint64(len(r.root)))
		b = append(b, r.root...)
		b = binary.AppendUvarint(b, r.count)
		if shared == ownEpochs {
			b = binary.AppendUvarint(b, r.epoch)
		}
	}
	return setPrefix + base64.RawURLEncoding.EncodeToString(b)
}

func commonEpoch(roots []rootCount) uint64 {
	if len(roots) == 0 {
		return firstEpoch
	}
	for _, r := range roots {
		if r.epoch != roots[0].epoch {
			return ownEpochs
		}
	}
	return roots[0].epoch
}

// maxPosition is the greatest length of a position that is read.
const maxPosition = 1 << 20

// parsePosition reads any form of position.
func parsePosition(text string) ([]rootCount, error) {
	if len(text) > maxPosition {
		return nil, ErrPosition
	}
	if set, ok := strings.CutPrefix(text, setPrefix); ok {
		return parseSet(set)
	}
	epoch, rest, _ := strings.Cut(text, ".")
	root, count, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseUint(count, 10, 64)
	if err != nil || !validRoot(root) {
		return nil, ErrPosition
	}
	e, err := strconv.ParseUint(epoch, 10, 64)
	if err != nil || e < firstEpoch || strconv.FormatUint(e, 10) != epoch {
		return nil, ErrPosition
	}
	return []rootCount{{e, root, n}}, nil
}

func validRoot(root string) bool { return domain.ValidSlug(strings.TrimPrefix(root, "@")) }

func parseSet(set string) ([]rootCount, error) {
	b, err := base64.RawURLEncoding.DecodeString(set)
	if err != nil {
		return nil, ErrPosition
	}
	shared, b, ok := cutUvarint(b)
	if !ok {
		return nil, ErrPosition
	}
	var roots []rootCount
	for len(b) > 0 {
		var r rootCount
		if r, b, ok = cutRoot(b, shared); !ok {
			return nil, ErrPosition
		}
		if n := len(roots); n > 0 && roots[n-1].root >= r.root {
			return nil, ErrPosition // as encodeSet writes them, and no root twice
		}
		roots = append(roots, r)
	}
	if commonEpoch(roots) != shared {
		return nil, ErrPosition // there is one way to write it
	}
	return roots, nil
}

// cutRoot cuts one root off the front of a set.
func cutRoot(b []byte, shared uint64) (r rootCount, rest []byte, ok bool) {
	length, b, ok := cutUvarint(b)
	if !ok || length > uint64(len(b)) {
		return r, nil, false
	}
	r.root, r.epoch = string(b[:length]), shared
	if r.count, b, ok = cutUvarint(b[length:]); !ok || !validRoot(r.root) {
		return r, nil, false
	}
	if shared == ownEpochs {
		r.epoch, b, ok = cutUvarint(b)
	}
	return r, b, ok && r.epoch >= firstEpoch
}

func cutUvarint(b []byte) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, nil, false
	}
	return n, b[size:], true
}

// roots returns where the viewer stands in everything that it may see, sorted by root.
func (v *View) roots() []rootCount {
	var roots []rootCount
	switch {
	case v.who.Operator:
		for _, p := range v.s.partners {
			if p.entity != nil {
				roots = append(roots, v.s.at(p.root, p.root.visible("")))
			}
		}
	case v.me.entity != nil:
		roots = append(roots, v.s.at(v.me.root, v.me.root.visible(v.me.id)))
	}
	for _, id := range v.counterparties() {
		if p := v.s.partners[id]; p != nil {
			roots = append(roots, v.s.at(p.root, p.profile.N))
		}
	}
	for _, a := range v.agreements() {
		roots = append(roots, v.s.at(a.root, a.root.visible(v.who.Partner)))
	}
	slices.SortFunc(roots, func(a, b rootCount) int { return strings.Compare(a.root, b.root) })
	return roots
}

// stands returns where the viewer stands in one root; false when it may not see it.
func (v *View) stands(root string) (uint64, bool) {
	id, directory := strings.CutPrefix(root, "@")
	if !directory {
		if a := v.agreement(domain.AgreementID(root)); a != nil {
			return a.root.visible(v.who.Partner), true
		}
		return 0, false
	}
	p := v.partner(domain.PartnerID(id))
	switch {
	case p == nil:
		return 0, false
	case v.keeps(p.id) != nil:
		return p.root.visible(v.who.Partner), true
	default:
		return p.profile.N, true
	}
}

// Position returns where the viewer stands in one agreement, or in everything for the empty id.
func (v *View) Position(a domain.AgreementID) string {
	if a == "" {
		return encodeSet(v.roots())
	}
	r := rootCount{root: string(a)}
	r.count, _ = v.stands(r.root)
	r.epoch = firstEpoch + v.s.epochs[r.partition()]
	return r.String()
}

// Position returns where v stands in one agreement, or in everything for the empty id.
func (i *Image) Position(v Viewer, a domain.AgreementID) (position string) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.s.view(v, i.cfg.Now(), "").Position(a)
}

// WaitPosition waits until all of a position is applied, ctx ends or the image halts. For what v
// may not see it waits as for what never comes, and for what lies in a partition that has lost
// commits not at all, since nothing of it is served. A text that is no position is an ErrPosition; a
// position of before an accepted loss is an ErrPositionLost.
func (i *Image) WaitPosition(ctx context.Context, v Viewer, position string) error {
	wanted, err := parsePosition(position)
	if err != nil {
		return err
	}
	return i.await(ctx, func() (bool, <-chan struct{}, error) {
		i.mu.RLock()
		defer i.mu.RUnlock()
		view := i.s.view(v, i.cfg.Now(), "")
		for _, r := range wanted {
			switch present, err := i.s.reached(r); {
			case err != nil:
				return true, nil, err
			case i.s.halted[r.partition()]:
			case !present || !view.has(r):
				return false, view.me.changed(v.Scope), nil
			}
		}
		return true, nil, nil
	})
}

// has reports whether the viewer stands at a place or behind it.
func (v *View) has(r rootCount) bool {
	n, ok := v.stands(r.root)
	return ok && n >= r.count
}

// startIn returns where a feed's position stands in a root, the beginning when it does not name
// it, and how many events it leaves out: all, while its epoch has not come.
func (s *store) startIn(position []rootCount, r *root) (start rootCount, from uint64, err error) {
	for _, p := range position {
		if p.root != r.name {
			continue
		}
		present, err := s.reached(p)
		if !present {
			return p, math.MaxUint64, err
		}
		return p, p.count, nil
	}
	return s.at(r, 0), 0, nil
}

// parseAfter reads where a feed goes on; the empty text is the beginning.
func parseAfter(after string) ([]rootCount, error) {
	if after == "" {
		return nil, nil
	}
	position, err := parsePosition(after)
	if err != nil {
		return nil, fmt.Errorf("after %.100q: %w", after, err)
	}
	slices.SortFunc(position, func(a, b rootCount) int {
		return cmp.Or(strings.Compare(a.root, b.root), cmp.Compare(b.count, a.count))
	})
	return position, nil
}
