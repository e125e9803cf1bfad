package eventlog_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog"
)

func TestLostTails(t *testing.T) {
	first, second := &eventlog.LostTailError{Partition: 4}, &eventlog.LostTailError{Partition: 5}
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		err  error
		want []*eventlog.LostTailError
	}{
		"no error":    {nil, nil},
		"another":     {broken, nil},
		"one":         {first, []*eventlog.LostTailError{first}},
		"wrapped":     {fmt.Errorf("follow: %w", first), []*eventlog.LostTailError{first}},
		"joined":      {errors.Join(first, broken, second), []*eventlog.LostTailError{first, second}},
		"both":        {fmt.Errorf("follow: %w: %w", broken, errors.Join(second, fmt.Errorf("and: %w", first))), []*eventlog.LostTailError{second, first}},
		"all wrapped": {fmt.Errorf("start: %w", errors.Join(first, second)), []*eventlog.LostTailError{first, second}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, eventlog.LostTails(test.err)) })
	}
}
