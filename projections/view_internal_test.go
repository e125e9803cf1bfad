package projections

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
)

func TestNextMidnight(t *testing.T) {
	for name, row := range map[string]struct {
		zone, now, next string
		skipped         bool // clocks skip midnight, so next is a bound
	}{
		"the second before":           {"UTC", "2017-07-05T23:59:59Z", "2017-07-06T00:00:00Z", false},
		"at midnight":                 {"UTC", "2017-07-05T00:00:00Z", "2017-07-06T00:00:00Z", false},
		"ahead of UTC":                {"Asia/Shanghai", "2017-07-05T15:59:00Z", "2017-07-05T16:00:00Z", false},
		"start of daylight saving":    {"Europe/Helsinki", "2017-03-25T22:30:00Z", "2017-03-26T21:00:00Z", false},
		"daylight saving at midnight": {"America/Sao_Paulo", "2017-10-15T02:30:00Z", "2017-10-15T03:00:00Z", true},
	} {
		t.Run(name, func(t *testing.T) {
			zone, err := time.LoadLocation(row.zone)
			require.NoError(t, err)
			now, err := time.Parse(time.RFC3339, row.now)
			require.NoError(t, err)
			want, err := time.Parse(time.RFC3339, row.next)
			require.NoError(t, err)
			next := nextMidnight(now, zone)
			require.True(t, next.After(now))
			require.False(t, next.After(want), "%s", next)
			if !row.skipped {
				require.True(t, next.Equal(want), "%s", next)
			}
		})
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(milestoneKey{20180330, domain.MilestoneRef{Agreement: "a", Project: "p", Milestone: "m"}}.cursor())
	f.Fuzz(func(t *testing.T, text string) {
		key, err := parseCursor(text)
		if err != nil {
			require.ErrorIs(t, err, ErrCursor)
			return
		}
		again, err := parseCursor(key.cursor())
		require.NoError(t, err)
		require.Equal(t, key, again)
	})
}
