package webhooks_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/slack-go/slack"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"tandem/webhooks"
)

// The specification's own library takes what is sent, while a secret is rotated too.
func TestStandardWebhooksLibrary(t *testing.T) {
	next := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	for _, name := range []string{"standard", "cloudevents"} {
		f, _ := webhooks.FormatNamed(name)
		to := webhooks.Target{URL: targets[name].URL, Secrets: []string{next, secret}}
		r, err := f.Request(delivery(examples()["chinese"]), to, time.Now())
		require.NoError(t, err)
		var body bytes.Buffer
		_, err = body.ReadFrom(r.Body)
		require.NoError(t, err)
		for _, s := range to.Secrets {
			wh, err := standardwebhooks.NewWebhook(s)
			require.NoError(t, err)
			require.NoError(t, wh.Verify(body.Bytes(), r.Header))
			require.Error(t, wh.Verify(append(body.Bytes(), ' '), r.Header))
			old := r.Header.Clone()
			old.Set("webhook-timestamp", "1521711000")
			require.Error(t, wh.Verify(body.Bytes(), old))
		}
		stranger, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{8}, 32)))
		require.NoError(t, err)
		require.Error(t, stranger.Verify(body.Bytes(), r.Header))
	}
}

// The library's own signature of the same message is the same.
func TestStandardWebhooksSample(t *testing.T) {
	f, _ := webhooks.FormatNamed("standard")
	d := webhooks.Delivery{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", Body: []byte(`{"test": 2432232314}`)}
	r, err := f.Request(d, webhooks.Target{URL: "https://example.com", Secrets: []string{secret}}, time.Unix(1614265330, 0))
	require.NoError(t, err)
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", r.Header.Get("webhook-signature"))
}

// Slack's blocks decode into the types of a library that many use, and come out of it as they went in.
func TestSlackLibrary(t *testing.T) {
	f, _ := webhooks.FormatNamed("slack")
	for name, m := range examples() {
		_, body := sent(t, f, delivery(m), targets["slack"])
		var got slack.WebhookMessage
		d := json.NewDecoder(bytes.NewReader(body))
		require.NoError(t, d.Decode(&got), name)
		var ours struct{ Blocks json.RawMessage }
		require.NoError(t, json.Unmarshal(body, &ours))
		again, err := json.Marshal(got.Blocks)
		require.NoError(t, err)
		require.JSONEq(t, string(ours.Blocks), string(again), name)
		for _, b := range got.Blocks.BlockSet {
			require.NotContains(t, []slack.MessageBlockType{"", "unknown"}, b.BlockType())
			if _, unknown := b.(*slack.UnknownBlock); unknown {
				t.Fatalf("%s: a block that the library does not know", name)
			}
		}
	}
}

// The two Chinese signatures are each other's opposite; the vendors' recipes, written down once more.
func TestFeishuAndDingTalkSignTheOppositeWay(t *testing.T) {
	mac := func(key, text string) string {
		m := hmac.New(sha256.New, []byte(key))
		m.Write([]byte(text))
		return base64.StdEncoding.EncodeToString(m.Sum(nil))
	}
	feishu, _ := webhooks.FormatNamed("feishu")
	_, body := sent(t, feishu, delivery(examples()["event"]), targets["feishu"])
	var m struct{ Timestamp, Sign string }
	require.NoError(t, json.Unmarshal(body, &m))
	require.Equal(t, "1521711000", m.Timestamp)
	require.Equal(t, mac("1521711000\ninvented", ""), m.Sign)

	dingtalk, _ := webhooks.FormatNamed("dingtalk")
	r, _ := sent(t, dingtalk, delivery(examples()["event"]), targets["dingtalk"])
	require.Equal(t, "1521711000000", r.URL.Query().Get("timestamp"))
	require.Equal(t, mac("SECinvented", "1521711000000\nSECinvented"), r.URL.Query().Get("sign"))
	require.Equal(t, "invented", r.URL.Query().Get("access_token"))
}

// Without a secret nothing is signed, and nothing says so by half.
func TestUnsigned(t *testing.T) {
	for _, name := range []string{"standard", "cloudevents", "feishu", "lark", "dingtalk"} {
		f, _ := webhooks.FormatNamed(name)
		to := targets[name]
		to.Secrets = nil
		require.NoError(t, f.Check(to))
		r, body := sent(t, f, delivery(examples()["event"]), to)
		require.Empty(t, r.Header.Get("webhook-signature"))
		require.NotContains(t, string(body)+r.URL.String(), "sign")
		require.Equal(t, http.MethodPost, r.Method)
	}
}
