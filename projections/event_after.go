package projections

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

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
