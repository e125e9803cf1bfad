package main

import (
	"encoding/json"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Paths of the demo's webhook receiver. They exist in the demo only.
const (
	demoWebhookPath  = "/demo/webhook"
	demoMessagesPath = "/demo/messages"
)

// demoReceiver receives the messages of the example's webhook. It verifies each signature by the Standard Webhooks
// specification, logs the message and shows the latest ones on a page. Other requests go to next.
type demoReceiver struct {
	next   http.Handler
	secret string // of the example's webhook; empty: the example is not loaded
	logger *slog.Logger
	now    func() time.Time

	mu       sync.Mutex
	messages []demoMessage // newest first
}

// demoMessage is a received message.
type demoMessage struct {
	At       time.Time
	Type     string
	Sentence string
}

// maxDemoMessages is how many messages the page shows.
const maxDemoMessages = 50

func (r *demoReceiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	switch {
	case request.Method == http.MethodPost && request.URL.Path == demoWebhookPath:
		r.receive(w, request)
	case request.Method == http.MethodGet && request.URL.Path == demoMessagesPath:
		r.show(w)
	default:
		r.next.ServeHTTP(w, request)
	}
}

func (r *demoReceiver) receive(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, 1<<20))
	if err != nil {
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
		return
	}
	if err := r.verify(body, request.Header); err != nil {
		r.logger.Warn("webhook message refused", "error", err)
		http.Error(w, "the signature is wrong", http.StatusUnauthorized)
		return
	}
	var message struct {
		Type string `json:"type"`
		Data struct {
			Sentence string `json:"sentence"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &message); err != nil {
		http.Error(w, "the body is not JSON", http.StatusBadRequest)
		return
	}
	r.logger.Info("webhook message received", "type", message.Type, "sentence", message.Data.Sentence)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = slices.Insert(r.messages, 0, demoMessage{r.now(), message.Type, message.Data.Sentence})
	r.messages = r.messages[:min(len(r.messages), maxDemoMessages)]
	w.WriteHeader(http.StatusNoContent)
}

func (r *demoReceiver) verify(body []byte, header http.Header) error {
	webhook, err := standardwebhooks.NewWebhook(r.secret)
	if err != nil {
		return err
	}
	return webhook.Verify(body, header)
}

var demoMessagesPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Webhook messages – Tandem demo</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #1c1f23 }
h1 { font-size: 1.4rem } time, .type { color: #5a626c; font-size: .9rem } li { margin: .6rem 0 } ul { list-style: none; padding: 0 }
</style>
<h1>Webhook messages</h1>
<p>The example has a webhook of Nokia that sends to this page. Each message was received and its signature verified.
Newest first; reload the page after an action.</p>
<ul>{{range .}}
<li><time datetime="{{.At.Format "2006-01-02T15:04:05Z07:00"}}">{{.At.Format "15:04:05"}}</time> <span class="type">{{.Type}}</span><br>{{.Sentence}}</li>{{else}}
<li>No message yet: run one of the commands that the demo printed.</li>{{end}}
</ul>
</html>
`))

func (r *demoReceiver) show(w http.ResponseWriter) {
	r.mu.Lock()
	messages := slices.Clone(r.messages)
	r.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	if err := demoMessagesPage.Execute(w, messages); err != nil {
		r.logger.Warn("page of the webhook messages not sent", "error", err)
	}
}
