package http

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"tandem/domain"
	"tandem/projections"
	"tandem/projections/sentences"
	"tandem/webhooks"
)

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
	Tone     webhooks.Tone `json:"tone" enum:"neutral,good,warning,bad"`
	Link     string        `json:"link" format:"uri"`
}

// PreviewFact is a named value.
type PreviewFact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func previewRoute() *route {
	return &route{
		method: http.MethodGet, name: "previewWebhook", path: webhookPath + "/preview", callers: webhookRead, sees: seesWebhook,
		summary: "What its endpoint would be sent of the latest event, or of a test: nothing is sent",
		answer:  WebhookPreview{}, handle: computes(previewWebhook), success: []int{http.StatusOK, http.StatusNotModified}, unwatched: true,
		query: []parameter{{name: "language", kind: "string", values: sentences.Languages(), doc: "Another than the webhook's."}},
	}
}

func previewWebhook(q *call) (projections.Answer, error) {
	a, err := q.asked()
	if err != nil {
		return projections.Answer{}, err
	}
	language := a.language()
	if err := a.err(); err != nil {
		return projections.Answer{}, err
	}
	stored, err := q.stored()
	if err != nil {
		return projections.Answer{}, err
	}
	f, target, err := q.opened()
	if err != nil {
		return projections.Answer{}, err
	}
	w := *stored
	if language != "" {
		w.Settings.Language = language
	}
	about, d, err := q.sample(&w)
	if err != nil {
		return projections.Answer{}, err
	}
	shown, err := webhooks.Preview(f, d, target, d.At)
	if err != nil {
		return projections.Answer{}, err
	}
	version, _ := w.Seen.For(w.Ref.Partner)
	return projections.Answer{Version: version, Body: previewOf(about, d, shown)}, nil
}

// theBook words tests.
var theBook = sync.OnceValues(sentences.New)

// sample returns the latest event as a delivery, or a test.
func (q *call) sample(w *domain.Webhook) (about string, d webhooks.Delivery, err error) {
	if q.Latest != nil {
		d, found, err := q.Latest(q.r.Context(), w)
		if found || err != nil {
			return "event", d, err
		}
	}
	book, err := theBook()
	if err != nil {
		return "", d, err
	}
	at := w.Since.UTC().Truncate(time.Second)
	body, err := json.Marshal(map[string]any{
		"type": testType, "timestamp": at, "data": map[string]any{"partner": w.Ref.Partner, "webhook": w.Ref.Webhook},
	})
	var link string
	_ = q.Image.View(q.who.Viewer, func(v *projections.View) error { // never an error
		shape, _ := v.Webhook(w.Ref.Partner, w.Ref.Webhook)
		link = shape.URL
		return nil
	})
	return "test", webhooks.Delivery{
		ID: "test", Type: testType, At: at, Body: body,
		Message: webhooks.NewTest(book, cmp.Or(w.Settings.Title, string(w.Ref.Webhook)), link, w.Settings.Language),
	}, err
}

func previewOf(about string, d webhooks.Delivery, shown webhooks.Shown) WebhookPreview {
	p := WebhookPreview{
		About: about, Type: d.Type,
		Request: DeliveryRequest{Method: shown.Method, URL: shown.URL, Headers: map[string]string{}, Body: shown.Body},
		Message: PreviewMessage{
			Headline: d.Message.Headline, Facts: []PreviewFact{}, State: d.Message.State.Word, Tone: d.Message.State.Tone, Link: d.Message.Link,
		},
	}
	for name, values := range shown.Header {
		p.Request.Headers[name] = strings.Join(values, ", ")
	}
	for _, f := range d.Message.Facts {
		p.Message.Facts = append(p.Message.Facts, PreviewFact(f))
	}
	return p
}
