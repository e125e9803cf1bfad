package formats_test

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

	"tandem/webhooks/formats"
)

// The library of the specification accepts the requests, during a rotation too.
func TestStandardWebhooksLibrary(t *testing.T) {
	next := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	for _, name := range []string{"standard", "cloudevents"} {
		format, _ := formats.ByName(name)
		target := formats.Target{URL: targets[name].URL, Secrets: []string{next, secret}}
		request, err := format.Request(testMessage(examples()["chinese"]), target, time.Now())
		require.NoError(t, err)
		var body bytes.Buffer
		_, err = body.ReadFrom(request.Body)
		require.NoError(t, err)
		for _, secret := range target.Secrets {
			wh, err := standardwebhooks.NewWebhook(secret)
			require.NoError(t, err)
			require.NoError(t, wh.Verify(body.Bytes(), request.Header))
			require.Error(t, wh.Verify(append(body.Bytes(), ' '), request.Header))
			old := request.Header.Clone()
			old.Set("webhook-timestamp", "1521711000")
			require.Error(t, wh.Verify(body.Bytes(), old))
		}
		stranger, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{8}, 32)))
		require.NoError(t, err)
		require.Error(t, stranger.Verify(body.Bytes(), request.Header))
	}
}

// The signature equals the one of the library's own test.
func TestStandardWebhooksSample(t *testing.T) {
	format, _ := formats.ByName("standard")
	message := formats.Message{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", Body: []byte(`{"test": 2432232314}`)}
	request, err := format.Request(message, formats.Target{URL: "https://example.com", Secrets: []string{secret}}, time.Unix(1614265330, 0))
	require.NoError(t, err)
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", request.Header.Get("webhook-signature"))
}

// Slack's blocks decode into the types of a widely used library, and encode to the same JSON.
func TestSlackLibrary(t *testing.T) {
	format, _ := formats.ByName("slack")
	for name, content := range examples() {
		_, body := formatRequest(t, format, testMessage(content), targets["slack"])
		var got slack.WebhookMessage
		decoder := json.NewDecoder(bytes.NewReader(body))
		require.NoError(t, decoder.Decode(&got), name)
		var ours struct{ Blocks json.RawMessage }
		require.NoError(t, json.Unmarshal(body, &ours))
		again, err := json.Marshal(got.Blocks)
		require.NoError(t, err)
		require.JSONEq(t, string(ours.Blocks), string(again), name)
		for _, block := range got.Blocks.BlockSet {
			require.NotContains(t, []slack.MessageBlockType{"", "unknown"}, block.BlockType())
			if _, unknown := block.(*slack.UnknownBlock); unknown {
				t.Fatalf("%s: a block unknown to the library", name)
			}
		}
	}
}

// Feishu and DingTalk swap key and message. The test repeats the recipes of the vendors.
func TestFeishuAndDingTalkSignatures(t *testing.T) {
	mac := func(key, text string) string {
		hash := hmac.New(sha256.New, []byte(key))
		hash.Write([]byte(text))
		return base64.StdEncoding.EncodeToString(hash.Sum(nil))
	}
	feishu, _ := formats.ByName("feishu")
	_, body := formatRequest(t, feishu, testMessage(examples()["event"]), targets["feishu"])
	var signed struct{ Timestamp, Sign string }
	require.NoError(t, json.Unmarshal(body, &signed))
	require.Equal(t, "1521711000", signed.Timestamp)
	require.Equal(t, mac("1521711000\ninvented", ""), signed.Sign)

	dingtalk, _ := formats.ByName("dingtalk")
	request, _ := formatRequest(t, dingtalk, testMessage(examples()["event"]), targets["dingtalk"])
	require.Equal(t, "1521711000000", request.URL.Query().Get("timestamp"))
	require.Equal(t, mac("SECinvented", "1521711000000\nSECinvented"), request.URL.Query().Get("sign"))
	require.Equal(t, "invented", request.URL.Query().Get("access_token"))
}

// Without a secret, a request contains no signature.
func TestUnsigned(t *testing.T) {
	for _, name := range []string{"standard", "cloudevents", "feishu", "lark", "dingtalk"} {
		format, _ := formats.ByName(name)
		target := targets[name]
		target.Secrets = nil
		require.NoError(t, format.Check(target))
		request, body := formatRequest(t, format, testMessage(examples()["event"]), target)
		require.Empty(t, request.Header.Get("webhook-signature"))
		require.NotContains(t, string(body)+request.URL.String(), "sign")
		require.Equal(t, http.MethodPost, request.Method)
	}
}
