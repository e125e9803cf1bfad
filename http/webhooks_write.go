package http

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"reflect"
	"strings"

	"tandem/api"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/webhooks/formats"
)

// secretSize is the length of generated secrets in bytes; Standard Webhooks allows 24 to 64.
const secretSize = 32

// signingSecret returns the secret for signatures: the given one, or for programs one derived from the command, which
// the response shows.
func (c *writeCall) signingSecret(format formats.Format, given string) (secret string, generated *string) {
	if given != "" || format.Limits().Chat {
		return given, nil
	}
	sum := c.derive.mac("webhook secret", string(c.commandID[:]))
	secret = "whsec_" + base64.StdEncoding.EncodeToString(sum[:secretSize])
	return secret, &secret
}

func addWebhook(req *writeCall, body *api.NewWebhook) (*intent, error) {
	format, known := formats.ByName(body.Format)
	if !known {
		return nil, invalid(domain.FieldError{Field: "format", Message: "is none of " + formatNames()})
	}
	secret, generated := req.signingSecret(format, body.Secret)
	place, fieldErrors := req.checkAddress(format, body.URL, secret)
	if len(fieldErrors) > 0 {
		return nil, invalid(fieldErrors...)
	}
	if err := req.checkAgreements(body.Agreements); err != nil {
		return nil, err
	}
	return req.create(string(body.ID), body.Title, "webhook", false, func(id string) (*intent, error) {
		ref := domain.WebhookRef{Partner: req.partner(), Webhook: domain.WebhookID(id)}
		command := domain.AddWebhook{WebhookRef: domain.WebhookRef{Partner: ref.Partner, Webhook: ref.Webhook}, Settings: domain.WebhookSettings{
			Title: body.Title, Format: body.Format, Address: req.keyring.SealAddress(ref, body.URL), DisplayAddress: place, Events: body.Events,
			Agreements: body.Agreements, Language: cmp.Or(body.Language, "en"), IncludePrivate: body.IncludePrivate,
			Digest: body.Digest, Order: cmp.Or(body.Order, defaultOrder(format)),
		}}
		if secret != "" {
			command.Secret = req.keyring.SealSecret(ref, secret)
		}
		return &intent{
			command: command, status: http.StatusCreated, path: oneWebhookPath(ref), read: readWebhook(ref), complete: withSecret(generated),
		}, nil
	})
}

func formatNames() string {
	var names []string
	for _, format := range formats.All() {
		names = append(names, format.Name())
	}
	return strings.Join(names, ", ")
}

func defaultOrder(format formats.Format) domain.WebhookOrder {
	if format.Limits().Chat {
		return domain.SkipAhead
	}
	return domain.Ordered
}

// withSecret adds the generated secret to a webhook.
func withSecret(generated *string) func(context.Context, any) (any, error) {
	return func(_ context.Context, body any) (any, error) {
		webhook, _ := body.(api.Webhook)
		return api.IssuedWebhook{Webhook: webhook, Secret: generated}, nil
	}
}

func editWebhook(req *writeCall, body *api.WebhookChange) (*intent, error) {
	if reflect.ValueOf(*body).IsZero() {
		return nil, errNothingToChange
	}
	command := domain.EditWebhook{
		WebhookRef: domain.WebhookRef{Partner: req.partner(), Webhook: req.webhook()}, Title: body.Title, Events: body.Events, Agreements: body.Agreements,
		Language: body.Language, IncludePrivate: body.IncludePrivate, Digest: body.Digest, Order: body.Order,
	}
	if body.URL != nil {
		format, target, err := req.openTarget()
		if err != nil {
			return nil, err
		}
		place, fieldErrors := req.checkAddress(format, *body.URL, target.Secrets...)
		if len(fieldErrors) > 0 {
			return nil, invalid(fieldErrors...)
		}
		command.Address, command.DisplayAddress = req.keyring.SealAddress(req.webhookRef(), *body.URL), &place
	}
	if body.Agreements != nil {
		if err := req.checkAgreements(*body.Agreements); err != nil {
			return nil, err
		}
	}
	return req.webhookIntent(command), nil
}

// storedWebhook returns the webhook in the path with its encrypted address and secrets.
func (c *call) storedWebhook() (*domain.Webhook, error) {
	webhook := c.cfg.ReadModel.State(eventlog.PartitionOf(domain.Stream{Partner: c.partner()}.Root())).Webhook(c.webhookRef())
	if webhook == nil || webhook.Removed {
		return nil, errNotFound
	}
	return webhook, nil
}

// openTarget returns the format of the webhook in the path and its decrypted target.
func (c *call) openTarget() (format formats.Format, target formats.Target, err error) {
	webhook, err := c.storedWebhook()
	if err != nil {
		return nil, target, err
	}
	format, known := formats.ByName(webhook.Settings.Format)
	if !known {
		return nil, target, refuse(http.StatusConflict, "format_unknown", "This version of Tandem does not support the format %s.", webhook.Settings.Format)
	}
	target, err = c.keyring.Target(webhook, c.now)
	return format, target, err
}

func rotateWebhookSecret(req *writeCall, body *api.NewSecret) (*intent, error) {
	format, target, err := req.openTarget()
	if err != nil {
		return nil, err
	}
	secret, generated := req.signingSecret(format, body.Secret)
	if secret == "" {
		return nil, invalid(domain.FieldError{Field: "secret", Message: "is required: change it in the tool first, then send it here"})
	}
	if _, fieldErrors := req.checkAddress(format, target.URL, secret); len(fieldErrors) > 0 {
		return nil, invalid(fieldErrors...)
	}
	intent := req.webhookIntent(domain.RotateWebhookSecret{
		WebhookRef: domain.WebhookRef{Partner: req.partner(), Webhook: req.webhook()}, Secret: req.keyring.SealSecret(req.webhookRef(), secret),
	})
	intent.complete = withSecret(generated)
	return intent, nil
}
