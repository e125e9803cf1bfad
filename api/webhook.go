package api

import (
	"time"

	"tandem/domain"
)

// Webhook is a partner's subscription. Its address is never told, because it may hold a tool's secret.
type Webhook struct {
	Partner        domain.PartnerID     `json:"partner"`
	ID             domain.WebhookID     `json:"id"`
	Title          string               `json:"title"`
	Format         string               `json:"format"`
	Place          string               `json:"place" doc:"What may be shown of the address: https://hooks.slack.com/…"`
	Events         []string             `json:"events" doc:"Types, with * for any rest."`
	Agreements     []domain.AgreementID `json:"agreements" doc:"Empty: all of the partner's."`
	Language       string               `json:"language" enum:"en,zh,fi"`
	IncludePrivate bool                 `json:"include_private"`
	Digest         *domain.Digest       `json:"digest" enum:"daily,weekly" doc:"Null: every event has a message of its own."`
	Order          domain.WebhookOrder  `json:"order" enum:"ordered,skip_ahead"`
	State          string               `json:"state" enum:"enabled,disabled"`
	DisabledReason *string              `json:"disabled_reason"`
	DisabledAt     *time.Time           `json:"disabled_at"`
	Signed         bool                 `json:"signed" doc:"There is a secret."`
	OldSecretUntil *time.Time           `json:"old_secret_until" doc:"Until when the secret before the present one signs too, or did; null if there was none."`
	Version        uint64               `json:"version"`
	CreatedAt      time.Time            `json:"created_at" doc:"What was recorded before is delivered only when it is replayed."`
	UpdatedAt      time.Time            `json:"updated_at"`
	URL            string               `json:"url" format:"uri"`
}

// Webhooks is one page of a partner's webhooks, sorted by id.
type Webhooks struct {
	Partner    domain.PartnerID `json:"partner"`
	Webhooks   []Webhook        `json:"webhooks"`
	NextCursor *string          `json:"next_cursor"`
}

// IssuedWebhook is a webhook with the secret that was made for it.
type IssuedWebhook struct {
	Webhook
	Secret *string `json:"secret" doc:"Shown this once; null if none was made."`
}

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
	Order          domain.WebhookOrder  `json:"order,omitempty" enum:"ordered,skip_ahead" doc:"What happens behind an event that cannot be delivered: the rest waits, or goes ahead and is summed up. Programs are served in order and rooms ahead unless given."`
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
	Order          *domain.WebhookOrder  `json:"order,omitempty" enum:"ordered,skip_ahead"`
}

// NewSecret is the body that may name the secret to rotate to.
type NewSecret struct {
	Secret string `json:"secret,omitempty" maxLength:"1000" doc:"The tool's own, needed for chat tools. For standard and cloudevents one is made unless given."`
}

// WebhookReplay is the body that says from where on to deliver again: one of the two.
type WebhookReplay struct {
	After string     `json:"after,omitempty" doc:"A position: what came after it is delivered again."`
	Since *time.Time `json:"since,omitempty" doc:"What was recorded since is delivered again."`
}

// WebhookPreview is what a webhook's endpoint would be sent.
type WebhookPreview struct {
	About   string          `json:"about" enum:"event,test" doc:"The latest event that the webhook asks for; a test where there is none yet."`
	Type    string          `json:"type" doc:"Of the event; webhook.test."`
	Request DeliveryRequest `json:"request"`
	Message PreviewMessage  `json:"message" doc:"What formats for people say."`
}

// PreviewMessage is a message without the form that a format gives it.
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
