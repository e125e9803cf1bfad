package http

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
	"tandem/projections/sentences"
	"tandem/webhooks"
	"tandem/webhooks/formats"
)

func previewRoute() *route {
	return &route{
		method: http.MethodGet, operationID: "previewWebhook", path: "/v1/partners/{partner}/webhooks/{webhook}/preview", callers: webhookRead, visibleTo: webhookVisible,
		summary:      "The message that a webhook would send for the latest event, or a test message; it is not sent",
		responseBody: api.WebhookPreview{}, handle: computed(previewWebhook), success: []int{http.StatusOK, http.StatusNotModified}, noWait: true,
		query: []parameter{{name: "language", kind: "string", values: sentences.Languages(), doc: "Language of the preview. Default: the webhook's."}},
	}
}

func previewWebhook(req *call) (projections.Answer, error) {
	query, err := req.parseQuery()
	if err != nil {
		return projections.Answer{}, err
	}
	language := query.language()
	if err := query.err(); err != nil {
		return projections.Answer{}, err
	}
	stored, err := req.storedWebhook()
	if err != nil {
		return projections.Answer{}, err
	}
	format, target, err := req.openTarget()
	if err != nil {
		return projections.Answer{}, err
	}
	webhook := *stored
	if language != "" {
		webhook.Settings.Language = language
	}
	about, message, err := req.sampleMessage(&webhook)
	if err != nil {
		return projections.Answer{}, err
	}
	shown, err := formats.Preview(format, message, target, message.RecordedAt)
	if err != nil {
		return projections.Answer{}, err
	}
	version, _ := webhook.Versions.For(webhook.Ref.Partner)
	return projections.Answer{Version: version, Body: newWebhookPreview(about, message, shown)}, nil
}

// sampleMessage returns the message of the latest event, or a test message.
func (c *call) sampleMessage(webhook *domain.Webhook) (about string, message formats.Message, err error) {
	if c.cfg.LatestMessage != nil {
		message, found, err := c.cfg.LatestMessage(c.request.Context(), webhook)
		if found || err != nil {
			return "event", message, err
		}
	}
	at := webhook.AddedAt.UTC().Truncate(time.Second)
	body, err := json.Marshal(map[string]any{
		"type": testEventType, "timestamp": at, "data": map[string]any{"partner": webhook.Ref.Partner, "webhook": webhook.Ref.Webhook},
	})
	var link string
	_ = c.cfg.ReadModel.View(c.caller.Viewer, func(view *projections.View) error { // the function returns no error
		shape, _ := view.Webhook(webhook.Ref.Partner, webhook.Ref.Webhook)
		link = shape.URL
		return nil
	})
	return "test", formats.Message{
		ID: "test", Type: testEventType, RecordedAt: at, Body: body,
		Content: webhooks.TestContent(c.book, cmp.Or(webhook.Settings.Title, string(webhook.Ref.Webhook)), link, webhook.Settings.Language),
	}, err
}

func newWebhookPreview(about string, message formats.Message, shown formats.RedactedRequest) api.WebhookPreview {
	preview := api.WebhookPreview{
		About: about, Type: message.Type,
		Request: api.DeliveryRequest{Method: shown.Method, URL: shown.URL, Headers: map[string]string{}, Body: shown.Body},
		Message: api.PreviewMessage{
			Headline: message.Content.Headline, Facts: []api.PreviewFact{}, State: message.Content.State.Word, Tone: string(message.Content.State.Tone), Link: message.Content.Link,
		},
	}
	for name, values := range shown.Header {
		preview.Request.Headers[name] = strings.Join(values, ", ")
	}
	for _, fact := range message.Content.Facts {
		preview.Message.Facts = append(preview.Message.Facts, api.PreviewFact(fact))
	}
	return preview
}
