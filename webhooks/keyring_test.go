package webhooks

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/domain"
	"tandem/webhooks/formats"
)

func TestKeyring(t *testing.T) {
	keys, err := NewKeyring(bytes.Repeat([]byte("k"), 32))
	require.NoError(t, err)
	others, err := NewKeyring(bytes.Repeat([]byte("o"), 32))
	require.NoError(t, err)
	ref := domain.WebhookRef{Partner: "nokia", Webhook: "ops"}
	at := time.Date(2018, 1, 8, 12, 0, 0, 0, time.UTC)
	const address = "https://ops.example/hook/s3cret"
	webhook := &domain.Webhook{
		Ref: ref, Settings: domain.WebhookSettings{Address: keys.SealAddress(ref, address)},
		Secret: keys.SealSecret(ref, "new"), PreviousSecret: keys.SealSecret(ref, "old"), PreviousUntil: at,
	}
	require.NotContains(t, string(webhook.Settings.Address), "s3cret")
	require.Equal(t, webhook.Settings.Address, keys.SealAddress(ref, address), "sealing is deterministic")

	target, err := keys.Target(webhook, at.Add(-time.Microsecond))
	require.NoError(t, err)
	require.Equal(t, formats.Target{URL: address, Secrets: []string{"new", "old"}}, target)
	target, err = keys.Target(webhook, at)
	require.NoError(t, err)
	require.Equal(t, []string{"new"}, target.Secrets, "after the overlap")

	_, err = others.Target(webhook, at)
	require.ErrorIs(t, err, ErrSealed)
	moved := *webhook
	moved.Ref.Partner = "xiaomi"
	_, err = keys.Target(&moved, at)
	require.ErrorIs(t, err, ErrSealed, "the address of another webhook")
	swapped := *webhook
	swapped.Settings.Address = webhook.Secret
	_, err = keys.Target(&swapped, at)
	require.ErrorIs(t, err, ErrSealed)
	cut := *webhook
	cut.Secret = cut.Secret[:5]
	_, err = keys.Target(&cut, at)
	require.ErrorIs(t, err, ErrSealed)
}
