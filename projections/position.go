package projections

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tandem/domain"
)

// A position says how far a reader has come in terms of the events that it may see. One root's is
// "<epoch>.<root>.<count>", the root being an agreement's id or "@" and a partner's; a set of
// several is "s1." and the base64url of the epoch, and for each root, sorted, its name's length,
// name and count.

// epoch grows when a log loses commits.
const epoch = 1

const setPrefix = "s1."

// ErrPosition says that a text is not a position.
var ErrPosition = errors.New("this is not a position")

// rootCount is a place in one root.
type rootCount struct {
	root  string
	count uint64
}

func (r rootCount) String() string {
	return strconv.Itoa(epoch) + "." + r.root + "." + strconv.FormatUint(r.count, 10)
}

// encodeSet returns the position of several roots, which are sorted.
func encodeSet(roots []rootCount) string {
	b := binary.AppendUvarint(nil, epoch)
	for _, r := range roots {
		b = binary.AppendUvarint(b, uint64(len(r.root)))
		b = append(b, r.root...)
		b = binary.AppendUvarint(b, r.count)
	}
	return setPrefix + base64.RawURLEncoding.EncodeToString(b)
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
	e, rest, _ := strings.Cut(text, ".")
	root, count, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseUint(count, 10, 64)
	if err != nil || e != strconv.Itoa(epoch) || !validRoot(root) {
		return nil, ErrPosition
	}
	return []rootCount{{root, n}}, nil
}

func validRoot(root string) bool { return domain.ValidSlug(strings.TrimPrefix(root, "@")) }

func parseSet(set string) ([]rootCount, error) {
	b, err := base64.RawURLEncoding.DecodeString(set)
	if err != nil {
		return nil, ErrPosition
	}
	e, b, ok := cutUvarint(b)
	if !ok || e != epoch {
		return nil, ErrPosition
	}
	var roots []rootCount
	for len(b) > 0 {
		var length, count uint64
		if length, b, ok = cutUvarint(b); !ok || length > uint64(len(b)) {
			return nil, ErrPosition
		}
		root := string(b[:length])
		if count, b, ok = cutUvarint(b[length:]); !ok || !validRoot(root) {
			return nil, ErrPosition
		}
		if n := len(roots); n > 0 && roots[n-1].root >= root {
			return nil, ErrPosition // as encodeSet writes them, and no root twice
		}
		roots = append(roots, rootCount{root, count})
	}
	return roots, nil
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
				roots = append(roots, rootCount{p.root.name, p.root.visible("")})
			}
		}
	case v.me.entity != nil:
		roots = append(roots, rootCount{v.me.root.name, v.me.root.visible(v.me.id)})
	}
	for _, id := range v.counterparties() {
		if p := v.s.partners[id]; p != nil {
			roots = append(roots, rootCount{p.root.name, p.profile.N})
		}
	}
	for _, a := range v.agreements() {
		roots = append(roots, rootCount{a.root.name, a.root.visible(v.who.Partner)})
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
	n, _ := v.stands(string(a))
	return rootCount{string(a), n}.String()
}

// Position returns where v stands in one agreement, or in everything for the empty id.
func (i *Image) Position(v Viewer, a domain.AgreementID) (position string) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.s.view(v, i.cfg.Now(), "").Position(a)
}

// WaitPosition waits until all of a position is applied, ctx ends or the image halts. For what v
// may not see it waits as for what never comes. A text that is no position is an ErrPosition.
func (i *Image) WaitPosition(ctx context.Context, v Viewer, position string) error {
	wanted, err := parsePosition(position)
	if err != nil {
		return err
	}
	return i.await(ctx, func() (bool, <-chan struct{}) {
		i.mu.RLock()
		defer i.mu.RUnlock()
		view := i.s.view(v, i.cfg.Now(), "")
		for _, r := range wanted {
			if n, ok := view.stands(r.root); !ok || n < r.count {
				return false, view.me.changed(v.Scope)
			}
		}
		return true, nil
	})
}

// startIn returns the count that a feed's position gives for a root; 0 when it names none.
func startIn(position []rootCount, root string) uint64 {
	for _, r := range position {
		if r.root == root {
			return r.count
		}
	}
	return 0
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
