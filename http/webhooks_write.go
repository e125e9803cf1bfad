package http

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"reflect"
	"strings"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
	"tandem/webhooks"
)

// NewWebhook is the body that adds a webhook.
type NewWebhook struct {
	ID             domain.WebhookID     `json:"id,omitempty" doc:"Derived from the title unless given."`
	URL            string               `json:"url" maxLength:"2000" doc:"Never shown again: chat tools put their secrets into it."`
	Format         string               `json:"format" enum:"standard,cloudevents,slack,teams,feishu,lark,dingtalk,wecom,discord,mattermost,google-chat,telegram,matrix,rocketchat,zulip"`
	Events         []string             `json:"events" minItems:"1" doc:"Types of events, with * for all of an area or simply all: milestone.*, change.proposed, *."`
	Agreements     []domain.AgreementID `json:"agreements,omitempty" doc:"All of the partner's unless given."`
	Language       string               `json:"language,omitempty" enum:"en,zh,fi" doc:"Of the messages; English unless given."`
	IncludePrivate bool                 `json:"include_private,omitempty" doc:"Also what only the partner itself may see. Think of who else reads in the room."`
	Title          string               `json:"title,omitempty" maxLength:"200"`
	Secret         string               `json:"secret,omitempty" maxLength:"1000" doc:"The tool's own, where it has one. For standard and cloudevents one is made unless given."`
	Digest         domain.Digest        `json:"digest,omitempty" enum:"daily,weekly" doc:"Sum up, at 08:00 in the partner's zone. Every event has its own message unless given."`
	Order          domain.DeliveryOrder `json:"order,omitempty" enum:"ordered,skip_ahead" doc:"What happens behind an event that cannot be delivered: the rest waits, or goes ahead and is summed up. Programs are served in order and rooms ahead unless given."`
}

// IssuedWebhook is a webhook with the secret that was made for it.
type IssuedWebhook struct {
	projections.Webhook
	Secret *string `json:"secret" doc:"Shown this once; null if none was made."`
}

// secretSize is the length of the secrets that are made, in bytes; Standard Webhooks takes 24 to 64.
const secretSize = 32

// signing returns the secret that signs: the given one, or, for programs, one that derives from the command,
// which is to be shown.
func (q *writing) signing(f webhooks.Format, given string) (secret string, made *string) {
	if given != "" || f.Limits().Chat {
		return given, nil
	}
	sum := q.keys.derive("webhook secret", string(q.id[:]))
	secret = "whsec_" + base64.StdEncoding.EncodeToString(sum[:secretSize])
	return secret, &secret
}

func addWebhook(q *writing, b *NewWebhook) (*intent, error) {
	ref := domain.WebhookRef{Partner: q.partner(), Webhook: domain.WebhookID(q.keys.given(string(b.ID), b.Title, "webhook", q.id))}
	f, known := webhooks.FormatNamed(b.Format)
	if !known {
		return nil, invalid(domain.FieldError{Field: "format", Message: "is none of " + formatNames()})
	}
	secret, made := q.signing(f, b.Secret)
	place, faults := q.placeOf(f, b.URL, secret)
	if len(faults) > 0 {
		return nil, invalid(faults...)
	}
	if err := q.sees(b.Agreements); err != nil {
		return nil, err
	}
	c := domain.AddWebhook{Partner: ref.Partner, Webhook: ref.Webhook, Settings: domain.WebhookSettings{
		Title: b.Title, Format: b.Format, Address: q.keyring.SealAddress(ref, b.URL), Place: place, Events: b.Events,
		Agreements: b.Agreements, Language: cmp.Or(b.Language, "en"), IncludePrivate: b.IncludePrivate,
		Digest: b.Digest, Order: cmp.Or(b.Order, usualOrder(f)),
	}}
	if secret != "" {
		c.Secret = q.keyring.SealSecret(ref, secret)
	}
	return &intent{
		command: c, status: http.StatusCreated, path: oneWebhookPath(ref), read: readWebhook(ref), show: showing(made),
	}, nil
}

func formatNames() string {
	var names []string
	for _, f := range webhooks.Formats() {
		names = append(names, f.Name())
	}
	return strings.Join(names, ", ")
}

func usualOrder(f webhooks.Format) domain.DeliveryOrder {
	if f.Limits().Chat {
		return domain.SkipAhead
	}
	return domain.Ordered
}

// showing adds the secret that was made to a webhook.
func showing(made *string) func(context.Context, any) (any, error) {
	return func(_ context.Context, body any) (any, error) {
		w, _ := body.(projections.Webhook)
		return IssuedWebhook{w, made}, nil
	}
}

// WebhookChange is the body that changes a webhook; what is absent stays.
type WebhookChange struct {
	URL            *string               `json:"url,omitempty" maxLength:"2000"`
	Events         *[]string             `json:"events,omitempty" minItems:"1"`
	Agreements     *[]domain.AgreementID `json:"agreements,omitempty" doc:"Empty: all of the partner's."`
	Language       *string               `json:"language,omitempty" enum:"en,zh,fi"`
	IncludePrivate *bool                 `json:"include_private,omitempty"`
	Title          *string               `json:"title,omitempty" maxLength:"200"`
	Digest         *domain.Digest        `json:"digest,omitempty" enum:"daily,weekly" nullable:"true" doc:"Null: every event has its own message."`
	Order          *domain.DeliveryOrder `json:"order,omitempty" enum:"ordered,skip_ahead"`
}

func editWebhook(q *writing, b *WebhookChange) (*intent, error) {
	if reflect.ValueOf(*b).IsZero() {
		return nil, errNothingToChange
	}
	c := domain.EditWebhook{
		Partner: q.partner(), Webhook: q.webhook(), Title: b.Title, Events: b.Events, Agreements: b.Agreements,
		Language: b.Language, IncludePrivate: b.IncludePrivate, Digest: b.Digest, Order: b.Order,
	}
	if b.URL != nil {
		f, target, err := q.opened()
		if err != nil {
			return nil, err
		}
		place, faults := q.placeOf(f, *b.URL, target.Secrets...)
		if len(faults) > 0 {
			return nil, invalid(faults...)
		}
		c.Address, c.Place = q.keyring.SealAddress(q.webhookRef(), *b.URL), &place
	}
	if b.Agreements != nil {
		if err := q.sees(*b.Agreements); err != nil {
			return nil, err
		}
	}
	return q.acting(c), nil
}

// stored returns the webhook in the path with all that is sealed in it.
func (q *call) stored() (*domain.Webhook, error) {
	w := q.Image.State(eventlog.PartitionOf(domain.Stream{Partner: q.partner()}.Root())).Webhook(q.webhookRef())
	if w == nil || w.Removed {
		return nil, errNotFound
	}
	return w, nil
}

// opened returns the format of the webhook in the path, and where its deliveries go.
func (q *call) opened() (f webhooks.Format, t webhooks.Target, err error) {
	w, err := q.stored()
	if err != nil {
		return nil, t, err
	}
	f, known := webhooks.FormatNamed(w.Settings.Format)
	if !known {
		return nil, t, refuse(http.StatusConflict, "format_unknown", "This version of Tandem does not know the format %s.", w.Settings.Format)
	}
	t, err = q.keyring.Target(w, q.now)
	return f, t, err
}

// NewSecret is the body that may name the secret to rotate to.
type NewSecret struct {
	Secret string `json:"secret,omitempty" maxLength:"1000" doc:"The tool's own, needed for chat tools. For standard and cloudevents one is made unless given."`
}

func rotateWebhookSecret(q *writing, b *NewSecret) (*intent, error) {
	f, target, err := q.opened()
	if err != nil {
		return nil, err
	}
	secret, made := q.signing(f, b.Secret)
	if secret == "" {
		return nil, invalid(domain.FieldError{Field: "secret", Message: "is required: change it in the tool, and then tell it here"})
	}
	if _, faults := q.placeOf(f, target.URL, secret); len(faults) > 0 {
		return nil, invalid(faults...)
	}
	in := q.acting(domain.RotateWebhookSecret{
		Partner: q.partner(), Webhook: q.webhook(), Secret: q.keyring.SealSecret(q.webhookRef(), secret),
	})
	in.show = showing(made)
	return in, nil
}
