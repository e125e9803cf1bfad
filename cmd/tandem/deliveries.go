package main

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"tandem/bus"
	"tandem/domain"
	"tandem/eventlog"
	api "tandem/http"
	"tandem/webhooks"
)

// newEngine joins the deliveries to the log, the image and the owner of the partitions.
func (a *app) newEngine(key []byte) (*webhooks.Engine, error) {
	keyring, err := webhooks.NewKeyring(key)
	if err != nil {
		return nil, err
	}
	return webhooks.New(webhooks.Config{
		Log: a.log, Image: a.image, Owner: a.bus, Keyring: keyring, BaseURL: a.url, Disable: a.disableWebhook,
		Client: webhooks.NewClient(a.cfg.privateWebhooks), Logger: a.logger,
	})
}

// disableWebhook has Tandem itself disable a webhook. One that a manager has removed or that is disabled
// meanwhile needs no more.
func (a *app) disableWebhook(ctx context.Context, ref domain.WebhookRef, reason string) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	now := time.Now()
	result, err := a.bus.Do(ctx, bus.Request{
		ID: eventlog.CommandID(id), Command: domain.DisableWebhook{Partner: ref.Partner, Webhook: ref.Webhook, Reason: reason},
		Actor: domain.Actor{Member: "system", Role: domain.System}, Today: domain.DateOf(now.UTC()), RequestedAt: now,
	})
	if err != nil {
		return err
	}
	if r := result.Rejection; r != nil && r.Kind != domain.NotFound && r.Kind != domain.Conflict {
		return errors.New(r.Detail)
	}
	return nil
}

// deliveries reads the delivery log for those who ask over HTTP.
type deliveries struct {
	log   eventlog.Log
	image webhooks.Image
}

var _ api.Deliveries = deliveries{}

// Attempts returns the latest attempts of a webhook.
func (d deliveries) Attempts(ctx context.Context, ref domain.WebhookRef) ([]api.Attempt, error) {
	kept, err := webhooks.Attempts(ctx, d.log, ref)
	list := make([]api.Attempt, 0, len(kept))
	for _, a := range kept {
		list = append(list, api.Attempt{
			Delivery: a.Delivery, Type: a.Type, Number: a.Number, At: a.StartedAt, Took: a.Duration, OK: a.OK, Status: a.Status,
			Reason: a.Reason, Note: a.Note, Next: a.NextAt,
			Request:  api.DeliveryRequest{Method: a.Method, URL: a.URL, Headers: a.RequestHeaders, Body: a.RequestBody},
			Response: api.DeliveryResponse{Headers: a.ResponseHeaders, Body: a.ResponseBody},
		})
	}
	return list, err
}

// Standing returns how a webhook's deliveries stand, as of what its lane kept last.
func (d deliveries) Standing(ctx context.Context, w *domain.Webhook) (webhooks.Standing, error) {
	return webhooks.StandingOf(ctx, d.log, d.image, w)
}
