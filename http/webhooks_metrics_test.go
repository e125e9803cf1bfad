package http

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/webhooks"
)

func TestLaneMetrics(t *testing.T) {
	lanes := func() []webhooks.LaneStatus {
		return []webhooks.LaneStatus{
			{Ref: domain.WebhookRef{Partner: "nokia", Webhook: "ops"}, Format: "standard", DeliveryStatus: webhooks.DeliveryStatus{Sent: 7, Failed: 2, Behind: 1, FailingSince: time.Now()}},
			{Ref: domain.WebhookRef{Partner: "xiaomi", Webhook: "room"}, Format: "feishu", Disabled: true, DeliveryStatus: webhooks.DeliveryStatus{Sent: 3}},
		}
	}
	apart := newEdge(t, func(c *Config) { c.Lanes, c.SeparateAdmin = lanes, true })
	each := apart.do(apart.api.Admin(), "GET", "/metrics", "").Body.String()
	require.Contains(t, each, `tandem_webhook_failed_total{format="standard",partner="nokia",webhook="ops"} 2`)
	require.Contains(t, each, `tandem_webhook_disabled{format="feishu",partner="xiaomi",webhook="room"} 1`)
}

// P10: without a separate admin listener the metrics contain nothing about webhooks, not even sums.
func TestMetricsOmitWebhooks(t *testing.T) {
	lanes := func() []webhooks.LaneStatus {
		return []webhooks.LaneStatus{{Ref: domain.WebhookRef{Partner: "nokia", Webhook: "very-secret"}, Format: "standard"}}
	}
	open := newEdge(t, func(c *Config) { c.Lanes = lanes })
	body := open.get("/metrics").Body.String()
	require.NotContains(t, body, "very-secret")
	require.NotContains(t, body, "tandem_webhook")
	apart := newEdge(t, func(c *Config) { c.Lanes, c.SeparateAdmin = lanes, true })
	require.Contains(t, apart.do(apart.api.Admin(), "GET", "/metrics", "").Body.String(), `webhook="very-secret"`)
}
