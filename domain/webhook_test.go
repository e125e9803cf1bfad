package domain

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPartnerHasAtMostFiftyWebhooks(t *testing.T) {
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

func TestAWebhookKeepsTheLatestRequests(t *testing.T) {
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

func TestWhatAWebhookWants(t *testing.T) {
	for _, c := range []struct {
		events     []string
		agreements []AgreementID
		public     string
		in         AgreementID
		wanted     bool
	}{
		{[]string{"*"}, nil, "milestone.delivered", "a", true},
		{[]string{"milestone.*"}, nil, "milestone.delivered", "a", true},
		{[]string{"milestone.*"}, nil, "change.proposed", "a", false},
		{[]string{"milestone.delivered"}, nil, "milestone.delivered", "a", true},
		{[]string{"milestone.delivered"}, nil, "milestone.delivery_withdrawn", "a", false},
		{[]string{"change.*", "milestone.delivered"}, nil, "milestone.delivered", "a", true},
		{[]string{"*"}, []AgreementID{"a", "b"}, "milestone.delivered", "b", true},
		{[]string{"*"}, []AgreementID{"a"}, "milestone.delivered", "b", false},
	} {
		set := WebhookSettings{Events: c.events, Agreements: c.agreements}
		require.Equal(t, c.wanted, set.Subscribes(c.public, c.in), fmt.Sprint(c))
	}
}
