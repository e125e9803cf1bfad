package webhooks

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
)

func TestRetryDelay(t *testing.T) {
	for i, step := range retrySchedule {
		for range 50 {
			delay := retryDelay(i+1, 0)
			require.GreaterOrEqual(t, delay, step)
			require.LessOrEqual(t, delay, step+step/5)
		}
	}
	require.GreaterOrEqual(t, retryDelay(99, 0), 24*time.Hour)
	require.GreaterOrEqual(t, retryDelay(0, 0), 5*time.Second)
	require.Equal(t, time.Hour, retryDelay(1, time.Hour), "Retry-After is the minimum")
	require.Equal(t, 24*time.Hour, retryDelay(1, 1000*time.Hour), "Retry-After is limited")
	require.Equal(t, 7*time.Second, rateLimitDelay(5, 7*time.Second))
	require.Equal(t, time.Second, rateLimitDelay(0, 0))
	require.Equal(t, time.Minute, rateLimitDelay(99, 0))
}

func TestDigestTimes(t *testing.T) {
	helsinki, err := time.LoadLocation("Europe/Helsinki")
	require.NoError(t, err)
	for _, test := range []struct {
		now, last, next string
		every           domain.Digest
	}{
		{"2018-03-23T05:59:59Z", "2018-03-22T06:00:00Z", "2018-03-23T06:00:00Z", domain.Daily},
		{"2018-03-23T06:00:00Z", "2018-03-23T06:00:00Z", "2018-03-24T06:00:00Z", domain.Daily},
		{"2018-03-24T12:00:00Z", "2018-03-24T06:00:00Z", "2018-03-25T05:00:00Z", domain.Daily}, // daylight saving time begins
		{"2018-03-23T12:00:00Z", "2018-03-19T06:00:00Z", "2018-03-26T05:00:00Z", domain.Weekly},
		{"2018-03-26T05:00:00Z", "2018-03-26T05:00:00Z", "2018-04-02T05:00:00Z", domain.Weekly},
	} {
		now, err := time.Parse(time.RFC3339, test.now)
		require.NoError(t, err)
		require.Equal(t, test.last, lastDigestTime(now, helsinki, test.every).UTC().Format(time.RFC3339), test.now)
		require.Equal(t, test.next, nextDigestTime(now, helsinki, test.every).UTC().Format(time.RFC3339), test.now)
	}
}
