package formats_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/webhooks/formats"
	"tandem/webhooks/webhooktest"
)

// forEach runs a subtest for each of the named formats; without names for all.
func forEach(t *testing.T, names []string, test func(t *testing.T, format formats.Format)) {
	t.Helper()
	if names == nil {
		names = webhooktest.Names()
	}
	for _, name := range names {
		format, ok := formats.ByName(name)
		require.True(t, ok, name)
		t.Run(name, func(t *testing.T) { test(t, format) })
	}
}

// chatNames are the formats for people.
func chatNames() (names []string) {
	for _, format := range formats.All() {
		if format.Limits().Chat {
			names = append(names, format.Name())
		}
	}
	return names
}

func TestEveryFormatHasAFakeAndATarget(t *testing.T) {
	var names []string
	for _, format := range formats.All() {
		names = append(names, format.Name())
		require.Contains(t, targets, format.Name())
		require.NoError(t, format.Check(targets[format.Name()]), format.Name())
		same, ok := formats.ByName(format.Name())
		require.True(t, ok)
		require.Equal(t, format, same)
	}
	require.ElementsMatch(t, webhooktest.Names(), names)
	_, ok := formats.ByName("fax")
	require.False(t, ok)
}

func TestFakesAcceptEveryFormat(t *testing.T) {
	forEach(t, nil, func(t *testing.T, format formats.Format) {
		request, _ := formatRequest(t, format, testMessage(examples()["event"]), targets[format.Name()])
		fake := endpoint(format)
		result := exchangeWithFake(t, format, fake, request)
		require.True(t, result.OK, result.Reason)
		require.Empty(t, result.Reason)
		require.Len(t, fake.Messages(), 1)
		require.Empty(t, fake.Messages()[0].Mentions)
	})
}

// TestWrongSecret sends with a secret that the service does not accept.
func TestWrongSecret(t *testing.T) {
	reasons := map[string]string{
		"standard":    "The endpoint answered 401: unauthorized (no signature matches)",
		"cloudevents": "The endpoint answered 401: unauthorized (no signature matches)",
		"feishu":      "Feishu code 19021: wrong signature or time (sign match fail or timestamp is not within one hour from current time)",
		"lark":        "Lark code 19021: wrong signature or time (sign match fail or timestamp is not within one hour from current time)",
		"dingtalk":    "DingTalk code 310000: wrong keyword, signature or sender IP address; every message contains “Tandem” (sign not match)",
		"wecom":       "WeCom code 93000: the bot was removed, or the key is wrong (invalid webhook url)",
		"telegram":    "Telegram answered 404: the bot's token is wrong (Not Found)",
		"matrix":      "Matrix code M_UNKNOWN_TOKEN: the access token is wrong or was revoked (refused)",
		"zulip":       "Zulip code UNAUTHORIZED: the bot's email address or API key is wrong (Invalid API key)",
	}
	for name, reason := range reasons {
		forEach(t, []string{name}, func(t *testing.T, format formats.Format) {
			request, _ := formatRequest(t, format, testMessage(examples()["event"]), targets[name])
			fake := endpoint(format, webhooktest.Secrets("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))
			require.Equal(t, formats.Result{Gone: name == "wecom", Reason: reason}, exchangeWithFake(t, format, fake, request))
		})
	}
}

// TestClockSkew sends with a clock that is two hours off.
func TestClockSkew(t *testing.T) {
	forEach(t, []string{"standard", "cloudevents", "feishu", "lark", "dingtalk"}, func(t *testing.T, format formats.Format) {
		request, _ := formatRequest(t, format, testMessage(examples()["event"]), targets[format.Name()])
		late := webhooktest.Clock(func() time.Time { return now.Add(2 * time.Hour) })
		require.False(t, exchangeWithFake(t, format, endpoint(format, late), request).OK)
	})
}

// Every message contains the keyword Tandem. A robot with another keyword refuses it.
func TestKeyword(t *testing.T) {
	forEach(t, []string{"feishu", "lark", "dingtalk"}, func(t *testing.T, format formats.Format) {
		for keyword, accepted := range map[string]bool{"Tandem": true, "alarm": false} {
			request, _ := formatRequest(t, format, testMessage(examples()["chinese"]), targets[format.Name()])
			result := exchangeWithFake(t, format, endpoint(format, webhooktest.Keyword(keyword)), request)
			require.Equal(t, accepted, result.OK, "%s: %s", keyword, result.Reason)
		}
	})
}

// TestTooLong pads a message until the service refuses it, which is a permanent failure. The formats themselves never
// write such a message.
func TestTooLong(t *testing.T) {
	padding := strings.Repeat("x", 70_000)
	forEach(t, chatNames(), func(t *testing.T, format formats.Format) {
		content := examples()["event"]
		content.Headline = "HEADLINE"
		request, body := formatRequest(t, format, testMessage(content), targets[format.Name()])
		body = bytes.ReplaceAll(body, []byte("HEADLINE"), []byte(padding))
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		result := exchangeWithFake(t, format, endpoint(format), request)
		require.False(t, result.OK)
		require.True(t, result.Permanent, result.Reason)
	})
}

// TestRateLimited sends until the service refuses. The result is not a failure, and says how long to wait.
func TestRateLimited(t *testing.T) {
	forEach(t, nil, func(t *testing.T, format formats.Format) {
		fake := endpoint(format, webhooktest.Rate(2, time.Minute))
		var result formats.Result
		for range 3 {
			request, _ := formatRequest(t, format, testMessage(examples()["event"]), targets[format.Name()])
			result = exchangeWithFake(t, format, fake, request)
		}
		require.False(t, result.OK)
		require.True(t, result.RateLimited, result.Reason)
		switch format.Name() {
		case "rocketchat", "google-chat": // their responses contain no time
		case "dingtalk":
			require.Equal(t, 10*time.Minute, result.RetryAfter)
		default:
			require.Positive(t, result.RetryAfter)
		}
	})
}

// TestLimits sends for ten minutes as fast as the format's limits allow. No service refuses a message.
func TestLimits(t *testing.T) {
	forEach(t, nil, func(t *testing.T, format formats.Format) {
		limits := format.Limits()
		if limits.Every == 0 {
			require.False(t, limits.Chat)
			return
		}
		require.True(t, limits.Chat)
		clock := now
		fake := endpoint(format, webhooktest.Clock(func() time.Time { return clock }))
		message := testMessage(examples()["event"])
		for i := 0; clock.Sub(now) < 10*time.Minute; i++ {
			if i >= limits.Burst {
				clock = clock.Add(limits.Every)
			}
			message.ID = strings.Repeat("x", i%50+1)
			request, err := format.Request(message, targets[format.Name()], clock)
			require.NoError(t, err)
			result := exchangeWithFake(t, format, fake, request)
			require.True(t, result.OK, "after %d: %s", i, result.Reason)
		}
	})
}

// Services that deduplicate messages get the message id.
func TestExactlyOnce(t *testing.T) {
	forEach(t, []string{"matrix", "google-chat"}, func(t *testing.T, format formats.Format) {
		fake := endpoint(format, webhooktest.Rate(0, 0))
		for range 2 {
			request, _ := formatRequest(t, format, testMessage(examples()["event"]), targets[format.Name()])
			require.True(t, exchangeWithFake(t, format, fake, request).OK)
		}
		require.Len(t, fake.Messages(), 1)
		require.Equal(t, testMessage(formats.Content{}).ID, fake.Messages()[0].ID)
	})
}

func TestCheck(t *testing.T) {
	for _, test := range []struct{ format, url, secret, want string }{
		{"standard", "", "", "the address is missing"},
		{"standard", "example.com/x", "", "must begin with https://"},
		{"standard", "ftp://example.com", "", "must begin with https://"},
		{"standard", "https://u:p@example.com/", "", "user name or password"},
		{"standard", "https://example.com/#x", "", "fragment"},
		{"standard", "https://example.com/", "short", "24 to 64 bytes"},
		{"standard", "https://hooks.slack.com/services/x", "", "choose the format slack"},
		{"slack", "http://hooks.slack.com/services/x", "", "only https"},
		{"slack", "https://slack.com/api/chat.postMessage", "", "incoming webhook"},
		{"slack", "https://discord.com/api/webhooks/1/x", "", "choose the format discord"},
		{"teams", "https://acme.webhook.office.com/webhookb2/x", "", "retired"},
		{"teams", "https://teams.microsoft.com/l/channel/x", "", "not a Workflow"},
		{"teams", "https://prod-1.logic.azure.com/workflows/x", "", "no sig"},
		{"feishu", "https://open.larksuite.com/open-apis/bot/v2/hook/x", "", "choose the format lark"},
		{"feishu", "https://open.feishu.cn/x", "", "custom bot"},
		{"dingtalk", "https://oapi.dingtalk.com/robot/send", "", "access_token"},
		{"wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send", "", "no key"},
		{"discord", "https://discord.com/api/webhooks/1/x/slack", "", "remove that part"},
		{"discord", "https://discord.com/channels/1/2", "", "not a Discord webhook"},
		{"mattermost", "https://chat.example.com/team", "", "/hooks/"},
		{"google-chat", "https://mail.google.com/chat/u/0/", "", "not a webhook's"},
		{"google-chat", "https://chat.googleapis.com/v1/spaces/S/messages?key=x", "", "no token"},
		{"telegram", "https://t.me/room", "", "not a bot's"},
		{"telegram", "https://api.telegram.org/bot1:x/getMe", "", "sendMessage"},
		{"telegram", "https://api.telegram.org/bot1:x/sendMessage", "", "chat_id"},
		{"matrix", "https://matrix.to/#/!x:example.com", "", "fragment"},
		{"matrix", "https://m.example.com/_matrix/client/v3/rooms/%23x:e/send/m.room.message", "x", "room id"},
		{"matrix", "https://m.example.com/_matrix/client/v3/rooms/%21x:e/send/m.room.message", "", "access token"},
		{"rocketchat", "https://rocket.example.com/channel/x", "", "/hooks/"},
		{"zulip", "https://zulip.example.com/#narrow", "", "fragment"},
		{"zulip", "https://zulip.example.com/api/v1/messages", "x:y", "channel"},
		{"zulip", "https://zulip.example.com/api/v1/messages?to=x", "x", "colon"},
		{"zulip", "https://zulip.example.com/api/v1/messages?to=x", "", "secret is missing"},
	} {
		t.Run(test.format+" "+test.want, func(t *testing.T) {
			format, ok := formats.ByName(test.format)
			require.True(t, ok)
			target := formats.Target{URL: test.url}
			if test.secret != "" {
				target.Secrets = []string{test.secret}
			}
			require.ErrorContains(t, format.Check(target), test.want, test.url)
		})
	}
}

// Servers that an organisation runs itself may have any host, and plain http.
func TestCheckIsNotStrictAboutHosts(t *testing.T) {
	forEach(t, nil, func(t *testing.T, format formats.Format) {
		target := targets[format.Name()]
		request, err := http.NewRequest(http.MethodGet, target.URL, nil)
		require.NoError(t, err)
		request.URL.Scheme, request.URL.Host = "http", "10.0.0.7:8065"
		target.URL = request.URL.String()
		require.NoError(t, format.Check(target))
	})
}

// resultTests are responses of the services and their results.
var resultTests = []struct {
	format string
	status int
	header string // at most one, "name: value"
	body   string
	want   formats.Result
}{
	{"standard", 204, "", "", formats.Result{OK: true}},
	{"standard", 302, "", "", formats.Result{Reason: "The endpoint answered 302: redirects are not followed; enter the new address"}},
	{"standard", 410, "", "", formats.Result{Gone: true, Reason: "The endpoint answered 410: the endpoint was removed"}},
	{"standard", 413, "", "", formats.Result{Permanent: true, Reason: "The endpoint answered 413: the message is too large"}},
	{"standard", 429, "Retry-After: 120", "", formats.Result{RateLimited: true, RetryAfter: 2 * time.Minute, Reason: "The endpoint answered 429: too many messages"}},
	{"standard", 503, "Retry-After: Thu, 22 Mar 2018 09:31:00 GMT", "<html>", formats.Result{RetryAfter: time.Minute, Reason: "The endpoint answered 503: service unavailable"}},
	{"standard", 500, "Retry-After: -1", "no\x00 \xff", formats.Result{Reason: "The endpoint answered 500: internal server error (no �)"}},
	{"cloudevents", 500, "Retry-After: 1e300", "", formats.Result{RetryAfter: 24 * time.Hour, Reason: "The endpoint answered 500: internal server error"}},
	{"slack", 200, "", "ok", formats.Result{OK: true}},
	{"slack", 200, "", "<html>", formats.Result{Reason: `Slack answered 200: the response is not "ok": this is not a Slack webhook`}},
	{"slack", 404, "", "no_service", formats.Result{Gone: true, Reason: "Slack code no_service: the webhook was removed or disabled"}},
	{"slack", 410, "", "channel_is_archived", formats.Result{Gone: true, Reason: "Slack code channel_is_archived: the channel was archived"}},
	{"slack", 400, "", "invalid_blocks", formats.Result{Permanent: true, Reason: "Slack code invalid_blocks: the blocks are not valid"}},
	{"slack", 403, "", "action_prohibited", formats.Result{Reason: "Slack code action_prohibited: an administrator of the workspace forbids it"}},
	{"teams", 202, "", "", formats.Result{OK: true, Note: "accepted; Teams validates the card later and does not report errors"}},
	{"teams", 404, "", `{"error":{"code":"WorkflowNotFound","message":"x"}}`, formats.Result{Gone: true, Reason: "Teams code WorkflowNotFound: the Workflow was deleted, possibly because its owner left (x)"}},
	{"feishu", 200, "", `{"code":0,"msg":"success"}`, formats.Result{OK: true}},
	{"feishu", 200, "", `{"code":11232,"msg":"frequency limited"}`, formats.Result{RateLimited: true, RetryAfter: time.Minute, Reason: "Feishu code 11232: too many messages, or Feishu is overloaded, as at the full and half hour (frequency limited)"}},
	{"feishu", 400, "", `{"code":9499,"msg":"Bad Request"}`, formats.Result{Permanent: true, Reason: "Feishu code 9499: the message is not valid (Bad Request)"}},
	{"feishu", 200, "", `{}`, formats.Result{Reason: "Feishu answered 200: no code in the response: this is not Feishu ({})"}},
	{"lark", 200, "", `{"code":19022,"msg":"Ip Not Allowed"}`, formats.Result{Reason: "Lark code 19022: the sender's IP address is not on the bot's allowlist (Ip Not Allowed)"}},
	{"dingtalk", 200, "", `{"errcode":130101,"errmsg":"send too fast"}`, formats.Result{RateLimited: true, RetryAfter: 10 * time.Minute, Reason: "DingTalk code 130101: too many messages; DingTalk blocks the robot for ten minutes (send too fast)"}},
	{"wecom", 200, "", `{"errcode":45009,"errmsg":"freq"}`, formats.Result{RateLimited: true, RetryAfter: time.Minute, Reason: "WeCom code 45009: too many messages (freq)"}},
	{"discord", 200, "X-RateLimit-Remaining: 3", `{"id":"1"}`, formats.Result{OK: true}},
	{"discord", 429, "", `{"message":"slow down","retry_after":0.5}`, formats.Result{RateLimited: true, RetryAfter: 500 * time.Millisecond, Reason: `Discord answered 429: too many messages ({"message":"slow down","retry_after":0.5})`}},
	{"discord", 404, "", `{"code":10015,"message":"Unknown Webhook"}`, formats.Result{Gone: true, Reason: "Discord code 10015: the webhook was deleted (Unknown Webhook)"}},
	{"mattermost", 400, "", `{"id":"web.incoming_webhook.invalid.app_error","message":"Invalid webhook"}`, formats.Result{Reason: "Mattermost code web.incoming_webhook.invalid.app_error: the webhook was removed, or the address is wrong (Invalid webhook)"}},
	{"google-chat", 400, "", `{"error":{"status":"INVALID_ARGUMENT","message":"API key not valid"}}`, formats.Result{Reason: "Google Chat code INVALID_ARGUMENT (API key not valid)"}},
	{"telegram", 200, "", `{"ok":true}`, formats.Result{OK: true}},
	{"telegram", 429, "", `{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":7}}`, formats.Result{RateLimited: true, RetryAfter: 7 * time.Second, Reason: "Telegram answered 429: too many messages (Too Many Requests)"}},
	{"telegram", 400, "", `{"ok":false,"error_code":400,"description":"group upgraded","parameters":{"migrate_to_chat_id":-1001}}`, formats.Result{Reason: "Telegram answered 400: the group became a supergroup: use chat_id=-1001 in the address (group upgraded)"}},
	{"telegram", 403, "", `{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked from the group chat"}`, formats.Result{Gone: true, Reason: "Telegram answered 403: the bot was removed from the group (Forbidden: bot was kicked from the group chat)"}},
	{"matrix", 429, "", `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1500}`, formats.Result{RateLimited: true, RetryAfter: 1500 * time.Millisecond, Reason: "Matrix code M_LIMIT_EXCEEDED: too many messages"}},
	{"matrix", 200, "", `<html>`, formats.Result{Reason: "Matrix answered 200: no event_id in the response: this is not a Matrix server"}},
	{"rocketchat", 200, "", `{"success":true}`, formats.Result{OK: true}},
	{"rocketchat", 200, "", `{"success":false,"error":"invalid"}`, formats.Result{Reason: "Rocket.Chat code invalid"}},
	{"zulip", 400, "", `{"result":"error","code":"STREAM_DOES_NOT_EXIST","msg":"no"}`, formats.Result{Reason: "Zulip code STREAM_DOES_NOT_EXIST: the channel does not exist (no)"}},
	{"zulip", 502, "", `<html>`, formats.Result{Reason: "Zulip answered 502: bad gateway"}},
}

func TestResults(t *testing.T) {
	for _, test := range resultTests {
		t.Run(fmt.Sprintf("%s %d %s", test.format, test.status, test.body), func(t *testing.T) {
			format, ok := formats.ByName(test.format)
			require.True(t, ok)
			header := http.Header{}
			if name, value, ok := strings.Cut(test.header, ": "); ok {
				header.Set(name, value)
			}
			require.Equal(t, test.want, format.Result(test.status, header, []byte(test.body), now))
		})
	}
}

// If Discord reports no remaining requests, a success also sets the time of the next message.
func TestDiscordRateLimitHeaders(t *testing.T) {
	format, _ := formats.ByName("discord")
	recorder := httptest.NewRecorder()
	recorder.Header().Set("X-RateLimit-Remaining", "0")
	recorder.Header().Set("X-RateLimit-Reset-After", "1.5")
	require.Equal(t, formats.Result{OK: true, RetryAfter: 1500 * time.Millisecond}, format.Result(200, recorder.Header(), []byte(`{"id":"1"}`), now))
}
