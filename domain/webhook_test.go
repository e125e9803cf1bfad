package domain

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWebhookLimit(t *testing.T) {
	s := &scenario{t: t, ledger: newLedger(t), today: NewDate(2018, 1, 8)}
	s.given("a partner nokia")
	for n := range MaxWebhooks {
		s.must("nokia", "add-webhook nokia/w%d", n)
	}
	_, refusal := s.ledger.do(s.command("add-webhook nokia/more"), s.meta("nokia"))
	require.Equal(t, "too_many_webhooks", refusal.Code)
	s.must("nokia", "remove-webhook nokia/w7")
	s.must("nokia", "add-webhook nokia/more")
	s.ledger.check()
	require.Len(t, s.ledger.plain.Partner("nokia").Webhooks, MaxWebhooks)
}

func TestWebhookKeepsLatestRequests(t *testing.T) {
	s := &scenario{t: t, ledger: newLedger(t), today: NewDate(2018, 1, 8)}
	s.given("a partner nokia")
	s.must("nokia", "add-webhook nokia/ops")
	for range 20 {
		s.must("nokia", "test-webhook nokia/ops")
	}
	requests := s.ledger.plain.Webhook(WebhookRef{"nokia", "ops"}).Requests
	require.Len(t, requests, maxRequests)
	require.Equal(t, 5, requests[0].Number)
	require.Equal(t, 20, requests[15].Number)
	s.ledger.check()
}

func TestWebhookSubscription(t *testing.T) {
	for name, row := range map[string]struct {
		events     []string
		agreements []AgreementID
		public     string
		agreement  AgreementID
		want       bool
	}{
		"all events":           {[]string{"*"}, nil, "milestone.delivered", "a", true},
		"an area":              {[]string{"milestone.*"}, nil, "milestone.delivered", "a", true},
		"another area":         {[]string{"milestone.*"}, nil, "change.proposed", "a", false},
		"a type":               {[]string{"milestone.delivered"}, nil, "milestone.delivered", "a", true},
		"another type":         {[]string{"milestone.delivered"}, nil, "milestone.delivery_withdrawn", "a", false},
		"an area and a type":   {[]string{"change.*", "milestone.delivered"}, nil, "milestone.delivered", "a", true},
		"a selected agreement": {[]string{"*"}, []AgreementID{"a", "b"}, "milestone.delivered", "b", true},
		"another agreement":    {[]string{"*"}, []AgreementID{"a"}, "milestone.delivered", "b", false},
	} {
		t.Run(name, func(t *testing.T) {
			settings := WebhookSettings{Events: row.events, Agreements: row.agreements}
			require.Equal(t, row.want, settings.Subscribes(row.public, row.agreement))
		})
	}
}
