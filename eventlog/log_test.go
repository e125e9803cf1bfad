package eventlog_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

func TestLostTails(t *testing.T) {
	a, b := &eventlog.LostTailError{Partition: 4}, &eventlog.LostTailError{Partition: 5}
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		err  error
		want []*eventlog.LostTailError
	}{
		"nothing":     {nil, nil},
		"another":     {broken, nil},
		"one":         {a, []*eventlog.LostTailError{a}},
		"wrapped":     {fmt.Errorf("follow: %w", a), []*eventlog.LostTailError{a}},
		"joined":      {errors.Join(a, broken, b), []*eventlog.LostTailError{a, b}},
		"both":        {fmt.Errorf("follow: %w: %w", broken, errors.Join(b, fmt.Errorf("and: %w", a))), []*eventlog.LostTailError{b, a}},
		"all wrapped": {fmt.Errorf("start: %w", errors.Join(a, b)), []*eventlog.LostTailError{a, b}},
	} {
		require.Equal(t, test.want, eventlog.LostTails(test.err), name)
	}
}
