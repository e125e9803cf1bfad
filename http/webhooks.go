package http

import (
	"net/http"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
	"tandem/projections/feed"
)

// Webhooks are visible to the partner, with tokens for all of its agreements, because messages may concern any of
// them. They are invisible to the operator.
func webhookRoutes() []*route {
	one := api.Webhook{}
	act := func(name, path, summary string, answer any, handler *bodyHandler) *route {
		return changeRoute(http.MethodPost, name, path, summary, webhookWrite, webhookVisible, answer, handler)
	}
	return []*route{
		readRoute("listWebhooks", "/v1/partners/{partner}/webhooks", "The partner's webhooks, by id, without their addresses and secrets", webhookRead,
			webhooksVisible, api.Webhooks{}, listWebhooks, listParameters()...),
		createRoute("addWebhook", "/v1/partners/{partner}/webhooks", "Add a webhook; only this response shows a generated secret", webhookWrite,
			webhooksVisible, api.IssuedWebhook{}, command(addWebhook)),
		readRoute("getWebhook", "/v1/partners/{partner}/webhooks/{webhook}", "One webhook, without its address and secret", webhookRead, webhookVisible, one, getWebhook),
		changeRoute(http.MethodPatch, "editWebhook", "/v1/partners/{partner}/webhooks/{webhook}", "Change a webhook; its format stays", webhookWrite, webhookVisible, one,
			command(editWebhook)),
		removeRoute("removeWebhook", "/v1/partners/{partner}/webhooks/{webhook}", "Remove a webhook", webhookWrite, webhookVisibleOrRepeat, deletion(removeWebhook)),
		act("testWebhook", "/v1/partners/{partner}/webhooks/{webhook}/test", "Send a test message like any other message; its attempts are listed under deliveries", one,
			deletion(testWebhook)),
		act("rotateWebhookSecret", "/v1/partners/{partner}/webhooks/{webhook}/rotate-secret", "Replace the secret; the old one also signs for another day", api.IssuedWebhook{},
			command(rotateWebhookSecret)),
		act("enableWebhook", "/v1/partners/{partner}/webhooks/{webhook}/enable", "Enable a disabled webhook, which continues where it stopped", one, deletion(enableWebhook)),
		act("replayWebhook", "/v1/partners/{partner}/webhooks/{webhook}/replay", "Send again events after a position, or recorded since a time", one,
			command(replayWebhook)),
		previewRoute(),
	}
}

func (c *call) webhook() domain.WebhookID { return domain.WebhookID(c.echoCtx.Param("webhook")) }

func (c *call) webhookRef() domain.WebhookRef {
	return domain.WebhookRef{Partner: c.partner(), Webhook: c.webhook()}
}

func oneWebhookPath(ref domain.WebhookRef) string {
	return joinPath(partnerPath(ref.Partner)+"/webhooks", ref.Webhook)
}

func webhooksVisible(req *call, view *projections.View) bool {
	return view.WebhooksVisible(req.partner())
}

func webhookVisible(req *call, view *projections.View) bool {
	return view.WebhookVisible(req.partner(), req.webhook())
}

// webhookVisibleOrRepeat also admits the repeat of a removal.
func webhookVisibleOrRepeat(req *call, view *projections.View) bool {
	return webhookVisible(req, view) || (req.header("Idempotency-Key") != "" && webhooksVisible(req, view))
}

func listWebhooks(req *call, view *projections.View) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	list, next := paginate(query, view.Webhooks(req.partner()), func(webhook api.Webhook) string { return string(webhook.ID) })
	return projections.Answer{
		Version: view.Version(), Body: api.Webhooks{Partner: req.partner(), Webhooks: list, NextCursor: next},
	}, query.err()
}

func getWebhook(req *call, view *projections.View) (projections.Answer, error) {
	if _, err := req.queryValues(); err != nil {
		return projections.Answer{}, err
	}
	return readWebhook(req.webhookRef())(view)
}

func readWebhook(ref domain.WebhookRef) resourceReader {
	return func(view *projections.View) (projections.Answer, error) {
		webhook, ok := view.Webhook(ref.Partner, ref.Webhook)
		if !ok {
			return projections.Answer{}, errNotFound
		}
		return projections.Answer{Version: webhook.Version, Body: webhook}, nil
	}
}

// webhookIntent returns the intent of a command on the webhook in the path.
func (c *writeCall) webhookIntent(command domain.Command) *intent {
	ref := c.webhookRef()
	return &intent{command: command, status: http.StatusOK, path: oneWebhookPath(ref), read: readWebhook(ref)}
}

func removeWebhook(req *writeCall) (*intent, error) {
	return &intent{
		command: domain.RemoveWebhook{WebhookRef: domain.WebhookRef{Partner: req.partner(), Webhook: req.webhook()}},
		status:  http.StatusNoContent, path: oneWebhookPath(req.webhookRef()),
	}, nil
}

func testWebhook(req *writeCall) (*intent, error) {
	return req.webhookIntent(domain.TestWebhook{WebhookRef: domain.WebhookRef{Partner: req.partner(), Webhook: req.webhook()}}), nil
}

func enableWebhook(req *writeCall) (*intent, error) {
	return req.webhookIntent(domain.EnableWebhook{WebhookRef: domain.WebhookRef{Partner: req.partner(), Webhook: req.webhook()}}), nil
}

func replayWebhook(req *writeCall, body *api.WebhookReplay) (*intent, error) {
	command := domain.ReplayWebhook{WebhookRef: domain.WebhookRef{Partner: req.partner(), Webhook: req.webhook()}, After: body.After}
	if body.Since != nil {
		command.Since = body.Since.UTC()
	}
	if body.After != "" {
		cursor, err := feed.ParseCursor(body.After)
		if err != nil {
			return nil, err
		}
		if _, err := req.eventReader.Next(req.request.Context(), req.caller.Viewer, cursor, feed.EventQuery{}, 0); err != nil {
			return nil, err // a position of an earlier epoch
		}
	}
	return req.webhookIntent(command), nil
}
