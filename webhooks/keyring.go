package webhooks

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"tandem/domain"
	"tandem/webhooks/formats"
)

// Keyring encrypts the addresses and secrets of webhooks with a key derived from the installation key. The log
// contains them only in this form.
type Keyring struct {
	aead     cipher.AEAD
	nonceKey []byte // derives nonces from the plain text
}

// NewKeyring returns the keyring of an installation key of 32 bytes or more.
func NewKeyring(installation []byte) (*Keyring, error) {
	keys, err := hkdf.Key(sha256.New, installation, nil, "tandem webhooks v1", 64)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(keys[:32])
	if err != nil {
		return nil, err
	}
	box, err := cipher.NewGCM(block)
	return &Keyring{box, keys[32:]}, err
}

// Seal encrypts and authenticates a text (AES-256-GCM) for one purpose, such as "webhook secret/nokia/ops". It is
// deterministic, so that a repeated command has the same fingerprint.
func (k *Keyring) Seal(purpose, text string) []byte {
	mac := hmac.New(sha256.New, k.nonceKey)
	mac.Write([]byte(purpose + "\x00" + text))
	nonce := mac.Sum(nil)[:k.aead.NonceSize()]
	return k.aead.Seal(nonce, nonce, []byte(text), []byte(purpose))
}

// ErrSealed means that a text was sealed with another key or for another purpose, or is damaged.
var ErrSealed = errors.New("not sealed with this installation key for this purpose")

// Open decrypts a text that was sealed for a purpose. Its error is [ErrSealed].
func (k *Keyring) Open(purpose string, sealed []byte) (string, error) {
	nonceSize := k.aead.NonceSize()
	if len(sealed) < nonceSize {
		return "", ErrSealed
	}
	text, err := k.aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], []byte(purpose))
	if err != nil {
		return "", ErrSealed
	}
	return string(text), nil
}

// addressPurpose binds a sealed address to its webhook.
func addressPurpose(ref domain.WebhookRef) string {
	return "webhook address/" + string(ref.Partner) + "/" + string(ref.Webhook)
}

// secretPurpose binds a sealed secret to its webhook.
func secretPurpose(ref domain.WebhookRef) string {
	return "webhook secret/" + string(ref.Partner) + "/" + string(ref.Webhook)
}

// SealAddress seals the address of a webhook.
func (k *Keyring) SealAddress(ref domain.WebhookRef, address string) []byte {
	return k.Seal(addressPurpose(ref), address)
}

// SealSecret seals the secret of a webhook.
func (k *Keyring) SealSecret(ref domain.WebhookRef, secret string) []byte {
	return k.Seal(secretPurpose(ref), secret)
}

// Target decrypts the address of a webhook and the secrets that sign at a time: the current one, and after a rotation
// also the previous one until its overlap ends.
func (k *Keyring) Target(webhook *domain.Webhook, at time.Time) (target formats.Target, err error) {
	if target.URL, err = k.Open(addressPurpose(webhook.Ref), webhook.Settings.Address); err != nil {
		return formats.Target{}, fmt.Errorf("the address of webhook %s of %s: %w", webhook.Ref.Webhook, webhook.Ref.Partner, err)
	}
	sealed := [][]byte{webhook.Secret}
	if at.Before(webhook.PreviousUntil) {
		sealed = append(sealed, webhook.PreviousSecret)
	}
	for _, sealedSecret := range sealed {
		if len(sealedSecret) == 0 {
			continue
		}
		secret, err := k.Open(secretPurpose(webhook.Ref), sealedSecret)
		if err != nil {
			return formats.Target{}, fmt.Errorf("a secret of webhook %s of %s: %w", webhook.Ref.Webhook, webhook.Ref.Partner, err)
		}
		target.Secrets = append(target.Secrets, secret)
	}
	return target, nil
}
