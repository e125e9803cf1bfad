package webhooks_test

import (
	"bytes"
	"fmt"
	"net/url"
	"time"

	"tandem/domain"
	"tandem/webhooks"
)

// A keyring encrypts the address and the secret of a webhook for the log, and decrypts them to send a message.
func ExampleKeyring() {
	keyring, err := webhooks.NewKeyring(bytes.Repeat([]byte("k"), 32)) // the installation key
	if err != nil {
		panic(err)
	}
	ref := domain.WebhookRef{Partner: "nokia", Webhook: "ops"}
	webhook := &domain.Webhook{
		Ref:      ref,
		Settings: domain.WebhookSettings{Address: keyring.SealAddress(ref, "https://ops.example/hook")},
		Secret:   keyring.SealSecret(ref, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
	}
	target, err := keyring.Target(webhook, time.Now())
	fmt.Println(target.URL, len(target.Secrets), err)

	other := *webhook
	other.Ref.Partner = "xiaomi" // what is sealed for one webhook cannot be used for another
	_, err = keyring.Target(&other, time.Now())
	fmt.Println(err)
	// Output:
	// https://ops.example/hook 1 <nil>
	// the address of webhook ops of xiaomi: not sealed with this installation key for this purpose
}

// A manager learns at once that an address is never called.
func ExampleCheckHost() {
	for _, address := range []string{"https://ops.example/hook", "https://10.1.2.3/hook", "https://ops.example:22/hook"} {
		parsed, err := url.Parse(address)
		if err != nil {
			panic(err)
		}
		fmt.Println(webhooks.CheckHost(parsed, nil))
	}
	// Output:
	// <nil>
	// connections to this address are blocked: the address is not public
	// connections to this address are blocked: port 22 must be 80 or 443
}
