package http

import (
	"net/http"
	"time"

	"tandem/domain"
	"tandem/projections"
)

const (
	webhooksPath = "/v1/partners/{partner}/webhooks"
	webhookPath  = webhooksPath + "/{webhook}"
)

// Webhooks are for the partner alone, and for tokens that all of its agreements are open to: what is
// delivered may be of any of them. To the operator there are none.
func webhookRoutes() []*route {
	one := projections.Webhook{}
	act := func(name, action, summary string, answer any, w *writer) *route {
		return change(http.MethodPost, name, webhookPath+action, summary, webhookWrite, seesWebhook, answer, w)
	}
	return []*route{
		read("listWebhooks", webhooksPath, "The partner's webhooks, by id, without their addresses and secrets", webhookRead,
			seesWebhooks, projections.Webhooks{}, listWebhooks, lists()...),
		create("addWebhook", webhooksPath, "Add a webhook; the answer is the only one that shows a secret made for it", webhookWrite,
			seesWebhooks, IssuedWebhook{}, writes(addWebhook)),
		read("getWebhook", webhookPath, "One webhook, without its address and secret", webhookRead, seesWebhook, one, getWebhook),
		change(http.MethodPatch, "editWebhook", webhookPath, "Change a webhook; its format stays", webhookWrite, seesWebhook, one,
			writes(editWebhook)),
		remove("removeWebhook", webhookPath, "Remove a webhook", webhookWrite, seesRemovableWebhook, removes(removeWebhook)),
		act("testWebhook", "/test", "Send a message that says it is a test, on the way that all take; see its deliveries", one,
			removes(testWebhook)),
		act("rotateWebhookSecret", "/rotate-secret", "Put another secret in place; the old one signs for a day longer", IssuedWebhook{},
			writes(rotateWebhookSecret)),
		act("enableWebhook", "/enable", "Let a disabled webhook go on where it stopped", one, removes(enableWebhook)),
		act("replayWebhook", "/replay", "Deliver again what came after a position, or was recorded since a time", one,
			writes(replayWebhook)),
		previewRoute(),
	}
}

func (q *call) webhook() domain.WebhookID { return domain.WebhookID(q.c.Param("webhook")) }

func (q *call) webhookRef() domain.WebhookRef {
	return domain.WebhookRef{Partner: q.partner(), Webhook: q.webhook()}
}

func oneWebhookPath(ref domain.WebhookRef) string {
	return path(partnerPath(ref.Partner)+"/webhooks", ref.Webhook)
}

func seesWebhooks(q *call, v *projections.View) bool { return v.SeesWebhooks(q.partner()) }

func seesWebhook(q *call, v *projections.View) bool {
	return v.SeesWebhook(q.partner(), q.webhook())
}

// seesRemovableWebhook lets the repeat of a removal through to its first answer.
func seesRemovableWebhook(q *call, v *projections.View) bool {
	return seesWebhook(q, v) || (q.header("Idempotency-Key") != "" && seesWebhooks(q, v))
}

func listWebhooks(q *call, v *projections.View) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := part(a, v.Webhooks(q.partner()), func(w projections.Webhook) string { return string(w.ID) })
	return projections.Answer{
		Version: v.Version(), Body: projections.Webhooks{Partner: q.partner(), Webhooks: list, NextCursor: next},
	}, a.err()
}

func getWebhook(q *call, v *projections.View) (projections.Answer, error) {
	if _, err := q.parameters(); err != nil {
		return projections.Answer{}, err
	}
	return readWebhook(q.webhookRef())(v)
}

func readWebhook(ref domain.WebhookRef) reader {
	return func(v *projections.View) (projections.Answer, error) {
		w, ok := v.Webhook(ref.Partner, ref.Webhook)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: w.Version, Body: w}, nil
	}
}

// acting is the intent of a command about the webhook in the path.
func (q *writing) acting(c domain.Command) *intent {
	ref := q.webhookRef()
	return &intent{command: c, status: http.StatusOK, path: oneWebhookPath(ref), read: readWebhook(ref)}
}

func removeWebhook(q *writing) (*intent, error) {
	return &intent{
		command: domain.RemoveWebhook{Partner: q.partner(), Webhook: q.webhook()},
		status:  http.StatusNoContent, path: oneWebhookPath(q.webhookRef()),
	}, nil
}

func testWebhook(q *writing) (*intent, error) {
	return q.acting(domain.TestWebhook{Partner: q.partner(), Webhook: q.webhook()}), nil
}

func enableWebhook(q *writing) (*intent, error) {
	return q.acting(domain.EnableWebhook{Partner: q.partner(), Webhook: q.webhook()}), nil
}

// WebhookReplay is the body that says from where on to deliver again: one of the two.
type WebhookReplay struct {
	After string     `json:"after,omitempty" doc:"A position: what came after it is delivered again."`
	Since *time.Time `json:"since,omitempty" doc:"What was recorded since is delivered again."`
}

func replayWebhook(q *writing, b *WebhookReplay) (*intent, error) {
	c := domain.ReplayWebhook{Partner: q.partner(), Webhook: q.webhook(), After: b.After}
	if b.Since != nil {
		c.Since = b.Since.UTC()
	}
	if b.After != "" {
		if _, err := q.Image.PartnerEvents(q.r.Context(), q.who.Viewer, b.After, 1); err != nil {
			return nil, err
		}
	}
	return q.acting(c), nil
}
