package webhooks_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/webhooks"
	"tandem/webhooks/webhooktest"
)

func TestEveryFormatHasAFakeAndATarget(t *testing.T) {
	var names []string
	for _, format := range webhooks.Formats() {
		names = append(names, format.Name())
		require.Contains(t, targets, format.Name())
		require.NoError(t, format.Check(targets[format.Name()]), format.Name())
		same, ok := webhooks.FormatNamed(format.Name())
		require.True(t, ok)
		require.Equal(t, format, same)
	}
	require.ElementsMatch(t, webhooktest.Names(), names)
	_, ok := webhooks.FormatNamed("fax")
	require.False(t, ok)
}

func TestFakesAcceptEveryFormat(t *testing.T) {
	for _, format := range webhooks.Formats() {
		request, _ := formatRequest(t, format, testMessage(examples()["event"]), targets[format.Name()])
		fake := endpoint(format)
		got := exchangeWithFake(t, format, fake, request)
		require.True(t, got.OK, "%s: %s", format.Name(), got.Reason)
		require.Empty(t, got.Reason)
		require.Len(t, fake.Messages(), 1)
		require.Empty(t, fake.Messages()[0].Mentions, format.Name())
	}
}

// TestWrongSecret sends with another secret than the tool knows.
func TestWrongSecret(t *testing.T) {
	reasons := map[string]string{
		"standard":    "The endpoint answered 401: unauthorized (no signature fits)",
		"cloudevents": "The endpoint answered 401: unauthorized (no signature fits)",
		"feishu":      "Feishu code 19021: signature or time (sign match fail or timestamp is not within one hour from current time)",
		"lark":        "Lark code 19021: signature or time (sign match fail or timestamp is not within one hour from current time)",
		"dingtalk":    "DingTalk code 310000: keyword, signature or our address; “Tandem” is in every message (sign not match)",
		"wecom":       "WeCom code 93000: the bot was removed, or the key is wrong (invalid webhook url)",
		"telegram":    "Telegram answered 404: the bot's token is wrong (Not Found)",
		"matrix":      "Matrix code M_UNKNOWN_TOKEN: the access token is wrong or was revoked (refused)",
		"zulip":       "Zulip code UNAUTHORIZED: the bot's address or key is wrong (Invalid API key)",
	}
	for name, reason := range reasons {
		format, _ := webhooks.FormatNamed(name)
		request, _ := formatRequest(t, format, testMessage(examples()["event"]), targets[name])
		other := "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		got := exchangeWithFake(t, format, endpoint(format, webhooktest.Secrets(other)), request)
		require.False(t, got.OK, name)
		require.False(t, got.Permanent || got.RateLimited, name)
		require.Equal(t, name == "wecom", got.Gone)
		require.Equal(t, reason, got.Reason)
	}
}

// TestClockSkew sends with a clock that is two hours off.
func TestClockSkew(t *testing.T) {
	for _, name := range []string{"standard", "cloudevents", "feishu", "lark", "dingtalk"} {
		format, _ := webhooks.FormatNamed(name)
		request, _ := formatRequest(t, format, testMessage(examples()["event"]), targets[name])
		late := webhooktest.Clock(func() time.Time { return now.Add(2 * time.Hour) })
		require.False(t, exchangeWithFake(t, format, endpoint(format, late), request).OK, name)
	}
}

func TestKeyword(t *testing.T) {
	for _, name := range []string{"feishu", "lark", "dingtalk"} {
		format, _ := webhooks.FormatNamed(name)
		for word, taken := range map[string]bool{"Tandem": true, "alarm": false} {
			request, _ := formatRequest(t, format, testMessage(examples()["chinese"]), targets[name])
			got := exchangeWithFake(t, format, endpoint(format, webhooktest.Keyword(word)), request)
			require.Equal(t, taken, got.OK, "%s: %s", name, got.Reason)
		}
	}
}

// TestTooLong pads a message until the tool refuses it: the answer says that it is never taken. The formats
// themselves never write such a message.
func TestTooLong(t *testing.T) {
	pad := strings.Repeat("x", 70_000)
	for _, name := range []string{"slack", "teams", "feishu", "lark", "dingtalk", "wecom", "discord", "mattermost", "google-chat", "telegram", "matrix", "rocketchat", "zulip"} {
		format, _ := webhooks.FormatNamed(name)
		content := examples()["event"]
		content.Headline = "HEADLINE"
		request, body := formatRequest(t, format, testMessage(content), targets[name])
		body = bytes.ReplaceAll(body, []byte("HEADLINE"), []byte(pad))
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		got := exchangeWithFake(t, format, endpoint(format), request)
		require.False(t, got.OK, name)
		require.True(t, got.Permanent, "%s: %s", name, got.Reason)
	}
}

// TestRateLimited sends until the tool refuses: that is slow, no failure, and says until when to wait.
func TestRateLimited(t *testing.T) {
	for _, format := range webhooks.Formats() {
		fake := endpoint(format, webhooktest.Rate(2, time.Minute))
		var got webhooks.Result
		for range 3 {
			request, _ := formatRequest(t, format, testMessage(examples()["event"]), targets[format.Name()])
			got = exchangeWithFake(t, format, fake, request)
		}
		require.False(t, got.OK, format.Name())
		require.True(t, got.RateLimited, "%s: %s", format.Name(), got.Reason)
		if format.Name() != "rocketchat" && format.Name() != "google-chat" { // they do not say
			require.Positive(t, got.RetryAfter, format.Name())
		}
		if format.Name() == "dingtalk" {
			require.Equal(t, 10*time.Minute, got.RetryAfter)
		}
	}
}

// TestLimits sends ten minutes as fast as the format's limits let one: no tool finds that too fast.
func TestLimits(t *testing.T) {
	for _, format := range webhooks.Formats() {
		limits := format.Limits()
		if limits.Every == 0 {
			require.False(t, limits.Chat, format.Name())
			continue
		}
		require.True(t, limits.Chat, format.Name())
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
			got := exchangeWithFake(t, format, fake, request)
			require.True(t, got.OK, "%s after %d: %s", format.Name(), i, got.Reason)
		}
	}
}

// A tool that shows a message with a known id once is told the delivery's.
func TestExactlyOnce(t *testing.T) {
	for _, name := range []string{"matrix", "google-chat"} {
		format, _ := webhooks.FormatNamed(name)
		fake := endpoint(format, webhooktest.Rate(0, 0))
		for range 2 {
			request, _ := formatRequest(t, format, testMessage(examples()["event"]), targets[name])
			require.True(t, exchangeWithFake(t, format, fake, request).OK)
		}
		require.Len(t, fake.Messages(), 1)
		require.Equal(t, testMessage(webhooks.Content{}).ID, fake.Messages()[0].ID)
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct{ format, url, secret, says string }{
		{"standard", "", "", "the address is missing"},
		{"standard", "example.com/x", "", "must begin with https://"},
		{"standard", "ftp://example.com", "", "must begin with https://"},
		{"standard", "https://u:p@example.com/", "", "user name or password"},
		{"standard", "https://example.com/#x", "", "after #"},
		{"standard", "https://example.com/", "short", "24 to 64 bytes"},
		{"standard", "https://hooks.slack.com/services/x", "", "choose the format slack"},
		{"slack", "http://hooks.slack.com/services/x", "", "https only"},
		{"slack", "https://slack.com/api/chat.postMessage", "", "incoming webhook"},
		{"slack", "https://discord.com/api/webhooks/1/x", "", "choose the format discord"},
		{"teams", "https://acme.webhook.office.com/webhookb2/x", "", "no longer work"},
		{"teams", "https://teams.microsoft.com/l/channel/x", "", "channel, not of a Workflow"},
		{"teams", "https://prod-1.logic.azure.com/workflows/x", "", "no sig"},
		{"feishu", "https://open.larksuite.com/open-apis/bot/v2/hook/x", "", "choose the format lark"},
		{"feishu", "https://open.feishu.cn/x", "", "custom bot"},
		{"dingtalk", "https://oapi.dingtalk.com/robot/send", "", "access_token"},
		{"wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send", "", "no key"},
		{"discord", "https://discord.com/api/webhooks/1/x/slack", "", "leave out"},
		{"discord", "https://discord.com/channels/1/2", "", "not a webhook"},
		{"mattermost", "https://chat.example.com/team", "", "/hooks/"},
		{"google-chat", "https://mail.google.com/chat/u/0/", "", "not of a webhook"},
		{"google-chat", "https://chat.googleapis.com/v1/spaces/S/messages?key=x", "", "no token"},
		{"telegram", "https://t.me/room", "", "not a bot's"},
		{"telegram", "https://api.telegram.org/bot1:x/getMe", "", "sendMessage"},
		{"telegram", "https://api.telegram.org/bot1:x/sendMessage", "", "chat_id"},
		{"matrix", "https://matrix.to/#/!x:example.com", "", "after #"},
		{"matrix", "https://m.example.com/_matrix/client/v3/rooms/%23x:e/send/m.room.message", "x", "room's id"},
		{"matrix", "https://m.example.com/_matrix/client/v3/rooms/%21x:e/send/m.room.message", "", "access token"},
		{"rocketchat", "https://rocket.example.com/channel/x", "", "/hooks/"},
		{"zulip", "https://zulip.example.com/#narrow", "", "after #"},
		{"zulip", "https://zulip.example.com/api/v1/messages", "x:y", "channel"},
		{"zulip", "https://zulip.example.com/api/v1/messages?to=x", "x", "colon"},
		{"zulip", "https://zulip.example.com/api/v1/messages?to=x", "", "secret is missing"},
	} {
		format, ok := webhooks.FormatNamed(test.format)
		require.True(t, ok)
		target := webhooks.Target{URL: test.url}
		if test.secret != "" {
			target.Secrets = []string{test.secret}
		}
		require.ErrorContains(t, format.Check(target), test.says, "%s %s", test.format, test.url)
	}
}

// Self-hosters' servers are where they are.
func TestCheckIsNotStrictAboutHosts(t *testing.T) {
	for name, target := range targets {
		format, _ := webhooks.FormatNamed(name)
		request, err := http.NewRequest(http.MethodGet, target.URL, nil)
		require.NoError(t, err)
		request.URL.Scheme, request.URL.Host = "http", "10.0.0.7:8065"
		target.URL = request.URL.String()
		require.NoError(t, format.Check(target), name)
	}
}

func TestResults(t *testing.T) {
	for _, test := range []struct {
		format string
		status int
		header string // one, "name: value"
		body   string
		want   webhooks.Result
	}{
		{"standard", 204, "", "", webhooks.Result{OK: true}},
		{"standard", 302, "", "", webhooks.Result{Reason: "The endpoint answered 302: redirects are not followed; enter the address it moved to"}},
		{"standard", 410, "", "", webhooks.Result{Gone: true, Reason: "The endpoint answered 410: the endpoint is gone for good"}},
		{"standard", 413, "", "", webhooks.Result{Permanent: true, Reason: "The endpoint answered 413: the message is too large"}},
		{"standard", 429, "Retry-After: 120", "", webhooks.Result{RateLimited: true, RetryAfter: 2 * time.Minute, Reason: "The endpoint answered 429: too many messages"}},
		{"standard", 503, "Retry-After: Thu, 22 Mar 2018 09:31:00 GMT", "<html>", webhooks.Result{RetryAfter: time.Minute, Reason: "The endpoint answered 503: service unavailable"}},
		{"standard", 500, "Retry-After: -1", "no\x00 \xff", webhooks.Result{Reason: "The endpoint answered 500: internal server error (no �)"}},
		{"cloudevents", 500, "Retry-After: 1e300", "", webhooks.Result{RetryAfter: 24 * time.Hour, Reason: "The endpoint answered 500: internal server error"}},
		{"slack", 200, "", "ok", webhooks.Result{OK: true}},
		{"slack", 200, "", "<html>", webhooks.Result{Reason: `Slack answered 200: not "ok": this is no webhook of Slack`}},
		{"slack", 404, "", "no_service", webhooks.Result{Gone: true, Reason: "Slack code no_service: the webhook was removed or disabled"}},
		{"slack", 410, "", "channel_is_archived", webhooks.Result{Gone: true, Reason: "Slack code channel_is_archived: the channel was archived"}},
		{"slack", 400, "", "invalid_blocks", webhooks.Result{Permanent: true, Reason: "Slack code invalid_blocks: the blocks are not valid"}},
		{"slack", 403, "", "action_prohibited", webhooks.Result{Reason: "Slack code action_prohibited: an administrator of the workspace forbids it"}},
		{"teams", 202, "", "", webhooks.Result{OK: true, Note: "accepted; Teams checks the card later and does not say if it refuses it"}},
		{"teams", 404, "", `{"error":{"code":"WorkflowNotFound","message":"x"}}`, webhooks.Result{Gone: true, Reason: "Teams code WorkflowNotFound: the Workflow was deleted; perhaps its owner left (x)"}},
		{"feishu", 200, "", `{"code":0,"msg":"success"}`, webhooks.Result{OK: true}},
		{"feishu", 200, "", `{"code":11232,"msg":"frequency limited"}`, webhooks.Result{RateLimited: true, RetryAfter: time.Minute, Reason: "Feishu code 11232: too many messages, or the busy minutes at the full and half hour (frequency limited)"}},
		{"feishu", 400, "", `{"code":9499,"msg":"Bad Request"}`, webhooks.Result{Permanent: true, Reason: "Feishu code 9499: the message is not valid (Bad Request)"}},
		{"feishu", 200, "", `{}`, webhooks.Result{Reason: "Feishu answered 200: without a code: this is no bot of Feishu ({})"}},
		{"lark", 200, "", `{"code":19022,"msg":"Ip Not Allowed"}`, webhooks.Result{Reason: "Lark code 19022: this address of ours is not on the bot's list (Ip Not Allowed)"}},
		{"dingtalk", 200, "", `{"errcode":130101,"errmsg":"send too fast"}`, webhooks.Result{RateLimited: true, RetryAfter: 10 * time.Minute, Reason: "DingTalk code 130101: too many messages: the bot is shut out for ten minutes (send too fast)"}},
		{"wecom", 200, "", `{"errcode":45009,"errmsg":"freq"}`, webhooks.Result{RateLimited: true, RetryAfter: time.Minute, Reason: "WeCom code 45009: too many messages (freq)"}},
		{"discord", 200, "X-RateLimit-Remaining: 3", `{"id":"1"}`, webhooks.Result{OK: true}},
		{"discord", 429, "", `{"message":"slow down","retry_after":0.5}`, webhooks.Result{RateLimited: true, RetryAfter: 500 * time.Millisecond, Reason: `Discord answered 429: too many messages ({"message":"slow down","retry_after":0.5})`}},
		{"discord", 404, "", `{"code":10015,"message":"Unknown Webhook"}`, webhooks.Result{Gone: true, Reason: "Discord code 10015: the webhook was deleted (Unknown Webhook)"}},
		{"mattermost", 400, "", `{"id":"web.incoming_webhook.invalid.app_error","message":"Invalid webhook"}`, webhooks.Result{Reason: "Mattermost code web.incoming_webhook.invalid.app_error: the webhook was removed, or the address is wrong (Invalid webhook)"}},
		{"google-chat", 400, "", `{"error":{"status":"INVALID_ARGUMENT","message":"API key not valid"}}`, webhooks.Result{Reason: "Google Chat code INVALID_ARGUMENT (API key not valid)"}},
		{"telegram", 200, "", `{"ok":true}`, webhooks.Result{OK: true}},
		{"telegram", 429, "", `{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":7}}`, webhooks.Result{RateLimited: true, RetryAfter: 7 * time.Second, Reason: "Telegram answered 429: too many messages (Too Many Requests)"}},
		{"telegram", 400, "", `{"ok":false,"error_code":400,"description":"group upgraded","parameters":{"migrate_to_chat_id":-1001}}`, webhooks.Result{Reason: "Telegram answered 400: the group became a supergroup: put chat_id=-1001 into the address (group upgraded)"}},
		{"telegram", 403, "", `{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked from the group chat"}`, webhooks.Result{Gone: true, Reason: "Telegram answered 403: the bot was removed from the group (Forbidden: bot was kicked from the group chat)"}},
		{"matrix", 429, "", `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1500}`, webhooks.Result{RateLimited: true, RetryAfter: 1500 * time.Millisecond, Reason: "Matrix code M_LIMIT_EXCEEDED: too many messages"}},
		{"matrix", 200, "", `<html>`, webhooks.Result{Reason: "Matrix answered 200: without an event: this is no server of Matrix"}},
		{"rocketchat", 200, "", `{"success":true}`, webhooks.Result{OK: true}},
		{"rocketchat", 200, "", `{"success":false,"error":"invalid"}`, webhooks.Result{Reason: "Rocket.Chat code invalid"}},
		{"zulip", 400, "", `{"result":"error","code":"STREAM_DOES_NOT_EXIST","msg":"no"}`, webhooks.Result{Reason: "Zulip code STREAM_DOES_NOT_EXIST: the channel does not exist (no)"}},
		{"zulip", 502, "", `<html>`, webhooks.Result{Reason: "Zulip answered 502: bad gateway"}},
	} {
		format, ok := webhooks.FormatNamed(test.format)
		require.True(t, ok)
		header := http.Header{}
		if name, value, ok := strings.Cut(test.header, ": "); ok {
			header.Set(name, value)
		}
		require.Equal(t, test.want, format.Result(test.status, header, []byte(test.body), now), "%s %d %s", test.format, test.status, test.body)
	}
}

// When Discord says that nothing is left, even a success asks to wait.
func TestDiscordRateLimitHeaders(t *testing.T) {
	format, _ := webhooks.FormatNamed("discord")
	recorder := httptest.NewRecorder()
	recorder.Header().Set("X-RateLimit-Remaining", "0")
	recorder.Header().Set("X-RateLimit-Reset-After", "1.5")
	require.Equal(t, webhooks.Result{OK: true, RetryAfter: 1500 * time.Millisecond}, format.Result(200, recorder.Header(), []byte(`{"id":"1"}`), now))
}
