package webhooks

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
)

func TestDelaysFollowTheStandard(t *testing.T) {
	for n, step := range schedule {
		for range 50 {
			d := delay(n+1, 0)
			require.GreaterOrEqual(t, d, step)
			require.LessOrEqual(t, d, step+step/5)
		}
	}
	require.GreaterOrEqual(t, delay(99, 0), 24*time.Hour)
	require.GreaterOrEqual(t, delay(0, 0), 5*time.Second)
	require.Equal(t, time.Hour, delay(1, time.Hour), "the receiver's wish is the least")
	require.Equal(t, 24*time.Hour, delay(1, 1000*time.Hour), "within bounds")
	require.Equal(t, 7*time.Second, slowDown(5, 7*time.Second))
	require.Equal(t, time.Second, slowDown(0, 0))
	require.Equal(t, time.Minute, slowDown(99, 0))
}

func TestDigestTimes(t *testing.T) {
	helsinki, err := time.LoadLocation("Europe/Helsinki")
	require.NoError(t, err)
	for _, c := range []struct {
		now, last, next string
		every           domain.Digest
	}{
		{"2018-03-23T05:59:59Z", "2018-03-22T06:00:00Z", "2018-03-23T06:00:00Z", domain.Daily},
		{"2018-03-23T06:00:00Z", "2018-03-23T06:00:00Z", "2018-03-24T06:00:00Z", domain.Daily},
		{"2018-03-24T12:00:00Z", "2018-03-24T06:00:00Z", "2018-03-25T05:00:00Z", domain.Daily}, // summer begins
		{"2018-03-23T12:00:00Z", "2018-03-19T06:00:00Z", "2018-03-26T05:00:00Z", domain.Weekly},
		{"2018-03-26T05:00:00Z", "2018-03-26T05:00:00Z", "2018-04-02T05:00:00Z", domain.Weekly},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		require.NoError(t, err)
		require.Equal(t, c.last, digestTime(now, helsinki, c.every).UTC().Format(time.RFC3339), c.now)
		require.Equal(t, c.next, nextDigest(now, helsinki, c.every).UTC().Format(time.RFC3339), c.now)
	}
}

func TestNothingSecretIsKept(t *testing.T) {
	const key = "supersecretkey01"
	u, err := url.Parse("https://hooks.example/services/T0000001/" + key + "?token=tok-12345678&x=1")
	require.NoError(t, err)
	r := &http.Request{URL: u, Header: http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"text/plain"}, "Webhook-Id": {"id"}}}
	hide := newRedactor(Target{URL: u.String(), Secrets: []string{"whsec_aaaabbbbcccc"}}, r)
	echo := strings.Join([]string{u.String(), u.RequestURI(), key, "tok-12345678", "whsec_aaaabbbbcccc", "aaaabbbbcccc", "T0000001"}, " and ")
	require.Equal(t, "… and … and … and … and … and … and …", hide.text([]byte(echo)))
	require.Equal(t, map[string]string{"Authorization": "…", "Content-Type": "text/plain", "Webhook-Id": "id"}, hide.headers(r.Header))
	require.Equal(t, map[string]string{"Set-Cookie": "…", "X": "…"}, hide.answered(http.Header{"Set-Cookie": {"a=b"}, "X": {key}}))
	long := hide.text([]byte(strings.Repeat("ä", maxShown)))
	require.Len(t, long, maxShown)
	require.Equal(t, "a�b", hide.text([]byte("a\xffb")))
}
