package api

import (
	"time"

	"tandem/domain"
)

// Webhook is a partner's subscription. Its address is not shown, because it may contain a tool's secret.
type Webhook struct {
	Partner        domain.PartnerID     `json:"partner"`
	ID             domain.WebhookID     `json:"id"`
	Title          string               `json:"title"`
	Format         string               `json:"format"`
	Place          string               `json:"place" doc:"The part of the address that may be shown: https://hooks.slack.com/…"`
	Events         []string             `json:"events" doc:"Event types; * matches the rest."`
	Agreements     []domain.AgreementID `json:"agreements" doc:"Empty: all agreements of the partner."`
	Language       string               `json:"language" enum:"en,zh,fi"`
	IncludePrivate bool                 `json:"include_private"`
	Digest         *domain.Digest       `json:"digest" enum:"daily,weekly" doc:"Null: one message per event."`
	Order          domain.WebhookOrder  `json:"order" enum:"ordered,skip_ahead"`
	State          string               `json:"state" enum:"enabled,disabled"`
	DisabledReason *string              `json:"disabled_reason"`
	DisabledAt     *time.Time           `json:"disabled_at"`
	Signed         bool                 `json:"signed" doc:"Whether a secret is set."`
	OldSecretUntil *time.Time           `json:"old_secret_until" doc:"Until when the previous secret also signs; null if there is none."`
	Version        uint64               `json:"version"`
	CreatedAt      time.Time            `json:"created_at" doc:"Events recorded before this time are sent only by a replay."`
	UpdatedAt      time.Time            `json:"updated_at"`
	Creation
	URL string `json:"url" format:"uri"`
}

// Webhooks is one page of a partner's webhooks, sorted by id.
type Webhooks struct {
	Partner    domain.PartnerID `json:"partner"`
	Webhooks   []Webhook        `json:"webhooks"`
	NextCursor *string          `json:"next_cursor"`
}

// IssuedWebhook is a webhook with its generated secret.
type IssuedWebhook struct {
	Webhook
	Secret *string `json:"secret" doc:"Shown only in this response; null if none was generated."`
}

// NewWebhook is the body that adds a webhook.
type NewWebhook struct {
	ID             domain.WebhookID     `json:"id,omitempty" doc:"Default: derived from the title, with a suffix if letters would be lost or the id is taken."`
	URL            string               `json:"url" maxLength:"2000" doc:"Not shown again, because chat tools put secrets into it."`
	Format         string               `json:"format" enum:"standard,cloudevents,slack,teams,feishu,lark,dingtalk,wecom,discord,mattermost,google-chat,telegram,matrix,rocketchat,zulip"`
	Events         []string             `json:"events" minItems:"1" doc:"Event types; * matches the rest: milestone.*, change.proposed, *."`
	Agreements     []domain.AgreementID `json:"agreements,omitempty" doc:"Default: all agreements of the partner."`
	Language       string               `json:"language,omitempty" enum:"en,zh,fi" doc:"Language of the messages. Default: English."`
	IncludePrivate bool                 `json:"include_private,omitempty" doc:"Also send events that only the partner may see. Consider who else reads the channel."`
	Title          string               `json:"title,omitempty" maxLength:"200"`
	Secret         string               `json:"secret,omitempty" maxLength:"1000" doc:"The tool's own secret, if it has one. Generated for standard and cloudevents unless given."`
	Digest         domain.Digest        `json:"digest,omitempty" enum:"daily,weekly" doc:"Send a digest at 08:00 in the partner's time zone. Default: one message per event."`
	Order          domain.WebhookOrder  `json:"order,omitempty" enum:"ordered,skip_ahead" doc:"ordered: later events wait behind a failing one. skip_ahead: they are sent, or summed up. Default: ordered for programs, skip_ahead for chat tools."`
}

// WebhookChange is the body that changes a webhook; absent fields stay.
type WebhookChange struct {
	URL            *string               `json:"url,omitempty" maxLength:"2000"`
	Events         *[]string             `json:"events,omitempty" minItems:"1"`
	Agreements     *[]domain.AgreementID `json:"agreements,omitempty" doc:"Empty: all agreements of the partner."`
	Language       *string               `json:"language,omitempty" enum:"en,zh,fi"`
	IncludePrivate *bool                 `json:"include_private,omitempty"`
	Title          *string               `json:"title,omitempty" maxLength:"200"`
	Digest         *domain.Digest        `json:"digest,omitempty" enum:"daily,weekly" nullable:"true" doc:"Null: one message per event."`
	Order          *domain.WebhookOrder  `json:"order,omitempty" enum:"ordered,skip_ahead"`
}

// NewSecret is the body that rotates a secret, optionally to a given one.
type NewSecret struct {
	Secret string `json:"secret,omitempty" maxLength:"1000" doc:"The tool's own secret, if the tool requires one. Generated for standard and cloudevents unless given."`
}

// WebhookReplay is the body that starts a replay: exactly one field is given.
type WebhookReplay struct {
	After string     `json:"after,omitempty" doc:"A position: events after it are sent again."`
	Since *time.Time `json:"since,omitempty" doc:"Events recorded since this time are sent again."`
}

// WebhookPreview is the message that a webhook would send.
type WebhookPreview struct {
	About   string          `json:"about" enum:"event,test" doc:"The latest event that the webhook subscribes to; a test message if there is none."`
	Type    string          `json:"type" doc:"The event's type, or webhook.test."`
	Request DeliveryRequest `json:"request"`
	Message PreviewMessage  `json:"message" doc:"The content shown by formats for people."`
}

// PreviewMessage is a message's content, independent of a format.
type PreviewMessage struct {
	Headline string        `json:"headline"`
	Facts    []PreviewFact `json:"facts"`
	State    string        `json:"state"`
	Tone     string        `json:"tone" enum:"neutral,good,warning,bad"`
	Link     string        `json:"link" format:"uri"`
}

// PreviewFact is a named value.
type PreviewFact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
