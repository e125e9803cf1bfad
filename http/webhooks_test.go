package http

import (
	"bytes"
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/webhooks"
	"tandem/webhooks/formats"
)

// disable disables a webhook as the system does when its endpoint is gone.
func (w *world) disable(p, id, reason string) {
	w.t.Helper()
	command, err := deriver{}.randomCommandID()
	require.NoError(w.t, err)
	result, err := w.commands.Do(w.t.Context(), bus.Request{
		ID: command, Command: domain.DisableWebhook{WebhookRef: domain.WebhookRef{Partner: domain.PartnerID(p), Webhook: domain.WebhookID(id)}, Reason: reason},
		Actor: domain.Actor{Member: "system", Role: domain.System}, RequestedAt: w.clock.Now(), Today: domain.DateOf(w.clock.Now()),
	})
	require.NoError(w.t, err)
	require.Nil(w.t, result.Rejection)
}

// target decrypts a stored webhook as the lanes do.
func (w *world) target(p, id string) formats.Target {
	w.t.Helper()
	ring, err := webhooks.NewKeyring(bytes.Repeat([]byte("key!"), 8))
	require.NoError(w.t, err)
	partition := eventlog.PartitionOf(domain.Stream{Partner: domain.PartnerID(p)}.Root())
	stored := w.image.State(partition).Webhook(domain.WebhookRef{Partner: domain.PartnerID(p), Webhook: domain.WebhookID(id)})
	require.NotNil(w.t, stored)
	target, err := ring.Target(stored, w.clock.Now())
	require.NoError(w.t, err)
	return target
}

// The secret is shown once, and again only in a replay of the same request; the address is never shown.
func TestWebhookSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const list, address = "/v1/partners/nokia/webhooks", "https://ops.example/hook/s3cr3t?key=s3cr3t"
	nokia := w.As("nokia")
	hook := object{"title": "Our program", "url": address, "format": "standard", "events": []string{"milestone.*", "change.proposed"}, "agreements": []string{w.a}}
	first := nokia.Key("add").POST(list, hook).Want(201)
	secret := first.text("secret")
	require.Regexp(t, `^whsec_[A-Za-z0-9+/]{43}=$`, secret)
	require.Equal(t, list+"/our-program", first.location())
	require.NotContains(t, string(first.body), "s3cr3t")
	again := nokia.Key("add").POST(list, hook).Want(201)
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	require.Equal(t, string(first.body), string(again.body))
	require.Equal(t, formats.Target{URL: address, Secrets: []string{secret}}, w.target("nokia", "our-program"))

	read := w.As("nokia-viewer").GET(first.location()).Want(200)
	require.NotContains(t, string(read.body), "secret\":\"whsec")
	require.NotContains(t, string(read.body), "s3cr3t")
	for name, want := range map[string]any{
		"id": "our-program", "place": "https://ops.example/…", "format": "standard", "language": "en", "order": "ordered",
		"digest": nil, "state": "enabled", "disabled_reason": nil, "include_private": false, "signed": true,
		"events": []any{"milestone.*", "change.proposed"}, "agreements": []any{w.a}, "version": 1.0,
		"url": "http://tandem.test/v1/partners/nokia/webhooks/our-program",
	} {
		require.Equal(t, want, read.get(name), name)
	}

	rotated := nokia.Key("rotate").POST(first.location()+"/rotate-secret", nil).Want(200)
	require.Equal(t, string(rotated.body), string(nokia.Key("rotate").POST(first.location()+"/rotate-secret", nil).Want(200).body))
	require.NotEqual(t, secret, rotated.text("secret"))
	require.Equal(t, "2017-09-05T09:00:00", rotated.text("old_secret_until")[:19])
	require.Equal(t, []string{rotated.text("secret"), secret}, w.target("nokia", "our-program").Secrets)
	w.clock.advance(24*time.Hour + time.Second)
	require.Equal(t, []string{rotated.text("secret")}, w.target("nokia", "our-program").Secrets)
}

// A chat tool's secret comes from the tool: it is stored and not shown.
func TestChatToolSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nokia := w.As("nokia")
	const address = "https://open.feishu.cn/open-apis/bot/v2/hook/0123"
	room := nokia.POST("/v1/partners/nokia/webhooks", object{
		"id": "room", "url": address, "format": "feishu", "events": []string{"*"}, "language": "zh", "secret": "tool's own", "digest": "weekly",
	}).Want(201)
	require.Nil(t, room.get("secret"))
	require.NotContains(t, string(room.body), "tool's own")
	require.Equal(t, "skip_ahead", room.get("order"))
	require.Equal(t, formats.Target{URL: address, Secrets: []string{"tool's own"}}, w.target("nokia", "room"))
	nokia.POST(room.location()+"/rotate-secret", nil).Refused(422, "invalid_field").Names("secret")
	nokia.POST(room.location()+"/rotate-secret", object{"secret": "another"}).Want(200)
	require.Equal(t, []string{"another", "tool's own"}, w.target("nokia", "room").Secrets)

	moved := nokia.With("If-Match", room.etag()).PATCH(room.location(), object{"url": address + "4"})
	moved.Refused(412, "version_mismatch")
	nokia.PATCH(room.location(), object{"url": address + "4", "digest": nil}).Want(200)
	require.Equal(t, address+"4", w.target("nokia", "room").URL)
	require.Nil(t, nokia.GET(room.location()).Want(200).get("digest"))
	nokia.POST("/v1/partners/nokia/webhooks", object{"url": "https://hooks.slack.com/services/T/B/x", "format": "slack", "events": []string{"*"}}).
		Want(201)
}

// Plain http is allowed for private networks that the operator allows, and for names that may resolve to them.
func TestPlainHTTPRequiresPrivateNetwork(t *testing.T) {
	t.Parallel()
	hook := func(address string) object {
		return object{"url": address, "format": "standard", "events": []string{"*"}}
	}
	open := newWorld(t, func(c *Config) { c.PrivateNetworks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }).As("nokia")
	const list = "/v1/partners/nokia/webhooks"
	open.POST(list, hook("http://10.1.2.3:8065/hooks/x")).Want(201)
	open.POST(list, hook("http://[::ffff:10.1.2.3]/x")).Want(201)
	open.POST(list, hook("http://mattermost.internal/x")).Want(201)
	open.POST(list, hook("http://192.168.1.1/x")).Refused(422, "invalid_field").Names("url")
	open.POST(list, hook("ftp://10.1.2.3/x")).Refused(422, "invalid_field").Names("url")
}

func TestADisabledWebhookIsEnabledAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const one = "/v1/partners/nokia/webhooks/nokia-ops"
	w.disable("nokia", "nokia-ops", "The endpoint answers 410: it is gone.")
	disabled := w.As("nokia-viewer").GET(one).Want(200)
	require.Equal(t, "disabled", disabled.get("state"))
	require.Contains(t, disabled.text("disabled_reason"), "410")
	enabled := w.As("nokia").With("If-Match", disabled.etag()).POST(one+"/enable", nil).Want(200)
	require.Equal(t, "enabled", enabled.get("state"))
	require.Nil(t, enabled.get("disabled_reason"))
	require.Nil(t, enabled.get("disabled_at"))
}

func TestDeliveriesAreTheLatestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := domain.WebhookRef{Partner: "nokia", Webhook: "nokia-ops"}
	at := w.clock.Now()
	for n, attempt := range []webhooks.Attempt{
		{MessageID: "second", Number: 1, Reason: "The endpoint answers 500.", Status: 500, NextAt: at.Add(time.Hour)},
		{MessageID: "third", Number: 1, Reason: "Nothing answers.", NextAt: at.Add(time.Hour)},
		{MessageID: "second", Number: 2, OK: true, Status: 202, Note: "accepted"},
	} {
		attempt.StartedAt, attempt.Type, attempt.Duration = at.Add(time.Duration(n+1)*time.Minute), "milestone.delivered", 1500*time.Millisecond
		w.history.add(ref, attempt)
	}
	const list = "/v1/partners/nokia/webhooks/nokia-ops/deliveries"
	w.history.add(domain.WebhookRef{Partner: "nokia", Webhook: "nokia-ops"}, webhooks.Attempt{MessageID: "trial", Type: "webhook.test", Number: 1, StartedAt: at.Add(-time.Hour), OK: true, Status: 200})
	w.As("nokia").POST(list+"/trial/redeliver", nil).Refused(409, "test_not_redelivered")
	w.As("nokia-viewer").POST(list+"/trial/redeliver", nil).Refused(403, "manager_only")
	told := w.As("nokia-viewer").GET(list).Want(200).list("deliveries")
	require.Len(t, told, 4)
	for n, want := range []object{
		{"id": "second", "state": "delivered", "attempts": 2.0, "status": 202.0, "reason": "", "note": "accepted", "next_at": nil},
		{"id": "third", "state": "retrying", "attempts": 1.0, "status": nil, "reason": "Nothing answers.", "next_at": at.Add(time.Hour).Format(time.RFC3339Nano)},
		{"id": "nokia-first", "state": "failed", "attempts": 1.0, "status": 500.0, "next_at": nil},
	} {
		for name, value := range want {
			require.Equal(t, value, told[n][name], "%d %s", n, name)
		}
	}
	log := w.As("nokia").GET(list + "/second").Want(200).list("log")
	require.Len(t, log, 2)
	require.Equal(t, 1500.0, log[0]["took_ms"])
	require.Equal(t, false, log[0]["ok"])
	require.NotNil(t, log[0]["response"])
	require.Nil(t, w.As("nokia").GET(list + "/third").Want(200).list("log")[0]["response"])
}

func TestHowDeliveriesStand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const list = "/v1/partners/nokia/webhooks/nokia-ops/deliveries"
	require.Equal(t, object{
		"delivered": 0.0, "failed": 0.0, "behind": 0.0, "retrying": 0.0, "failing_since": nil, "next_attempt_at": nil,
	}, w.As("nokia").GET(list).Want(200).get("standing"))
	at := w.clock.Now()
	w.history.standing = webhooks.DeliveryStatus{Sent: 7, Failed: 3, Behind: 2, Skipped: 1, FailingSince: at, NextAttemptAt: at.Add(time.Minute)}
	require.Equal(t, object{
		"delivered": 7.0, "failed": 3.0, "behind": 2.0, "retrying": 1.0, "failing_since": at.Format(time.RFC3339Nano),
		"next_attempt_at": at.Add(time.Minute).Format(time.RFC3339Nano),
	}, w.As("nokia-viewer").GET(list).Want(200).get("standing"))
	w.As("xiaomi").GET(list).Refused(404, "not_found")
	w.As("operator").GET(list).Refused(404, "not_found")
}

// A preview shows format and texts without secrets.
func TestPreview(t *testing.T) {
	t.Parallel()
	event := formats.Message{
		ID: "e1", Type: "milestone.delivered", RecordedAt: time.Date(2017, 9, 4, 8, 0, 0, 0, time.UTC), Body: []byte(`{"type":"milestone.delivered"}`),
		Content: formats.Content{Headline: "Nokia delivered FP4", Facts: []formats.Fact{{Name: "Due", Value: "today"}}, State: formats.State{Word: "delivered", Tone: formats.Good}, Link: "http://tandem.test/v1/x"},
	}
	found := false
	w := newWorld(t, func(c *Config) {
		c.LatestMessage = func(_ context.Context, x *domain.Webhook) (formats.Message, bool, error) {
			event.Content.Language = x.Settings.Language
			return event, found, nil
		}
	})
	nokia := w.As("nokia")
	standard := nokia.GET("/v1/partners/nokia/webhooks/nokia-ops/preview").Want(200)
	require.Equal(t, "test", standard.get("about"))
	require.NotContains(t, string(standard.body), "address-of-nokia")
	require.Equal(t, "v1 …", standard.get("request.headers").(object)["Webhook-Signature"])

	nokia.POST("/v1/partners/nokia/webhooks", object{
		"id": "room", "url": "https://hooks.slack.com/services/T0/B0/s3cr3t", "format": "slack", "events": []string{"*"}, "language": "fi",
	}).Want(201)
	const room = "/v1/partners/nokia/webhooks/room/preview"
	finnish, chinese := w.As("nokia-viewer").GET(room).Want(200), nokia.GET(room+"?language=zh").Want(200)
	require.NotEqual(t, finnish.text("message.headline"), chinese.text("message.headline"))
	require.Contains(t, chinese.text("request.body"), "blocks")
	require.NotContains(t, string(chinese.body), "s3cr3t")
	nokia.GET(room+"?language=sv").Refused(422, "invalid_field").Names("language")

	found = true
	latest := nokia.GET(room).Want(200)
	require.Equal(t, "event", latest.get("about"))
	require.Equal(t, "milestone.delivered", latest.get("type"))
	require.Contains(t, latest.text("request.body"), "Nokia delivered FP4")
}
