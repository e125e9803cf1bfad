package main

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	httpapi "tandem/http"
	"tandem/projections/feed"
	"tandem/webhooks"
)

// newEngine creates the webhook engine on the log, the read model and the bus.
func (a *app) newEngine(key []byte) (*webhooks.Engine, error) {
	keyring, err := webhooks.NewKeyring(key)
	if err != nil {
		return nil, err
	}
	return webhooks.New(webhooks.Config{
		Log: a.log, ReadModel: a.readModel, Events: feed.NewReader(a.readModel), Owner: a.bus, Keyring: keyring, BaseURL: a.url, Disable: a.disableWebhook,
		Client: webhooks.NewClient(a.cfg.privatePrefixes), Logger: a.logger, Now: a.cfg.clock(),
	})
}

// disableWebhook disables a webhook as the system. A webhook that was removed or disabled in the meantime
// is not an error.
func (a *app) disableWebhook(ctx context.Context, ref domain.WebhookRef, reason string) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	now := time.Now()
	result, err := a.bus.Do(ctx, bus.Request{
		ID: eventlog.CommandID(id), Command: domain.DisableWebhook{WebhookRef: domain.WebhookRef{Partner: ref.Partner, Webhook: ref.Webhook}, Reason: reason},
		Actor: domain.Actor{Member: "system", Role: domain.System}, Today: domain.DateOf(now.UTC()), RequestedAt: now,
	})
	if err != nil {
		return err
	}
	if rejection := result.Rejection; rejection != nil && rejection.Kind != domain.NotFound && rejection.Kind != domain.Conflict {
		return errors.New(rejection.Detail)
	}
	return nil
}

// webhookHistory serves the attempt history and the status of webhooks.
type webhookHistory struct {
	log    eventlog.Log
	events *feed.Reader
}

var _ httpapi.AttemptHistory = webhookHistory{}

// Attempts returns the attempt history of a webhook.
func (h webhookHistory) Attempts(ctx context.Context, ref domain.WebhookRef) ([]webhooks.Attempt, error) {
	return webhooks.ReadAttempts(ctx, h.log, ref)
}

// Status returns the status of a webhook, as its lane stored it last.
func (h webhookHistory) Status(ctx context.Context, webhook *domain.Webhook) (webhooks.DeliveryStatus, error) {
	return webhooks.ReadStatus(ctx, h.log, h.events, webhook)
}
