package webhooktest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// rawList is a JSON array of elements of different types.
type rawList []json.RawMessage

func services() []service {
	return append(append(append(programReceivers(), westernServices()...), chineseServices()...), otherServices()...)
}

func otherServices() []service {
	taken := func(body map[string]any) func(*Fake, Message) response {
		return func(*Fake, Message) response { return response{http.StatusOK, nil, body} }
	}
	return []service{
		{
			name: "google-chat", rates: []rateLimit{{count: 1, period: time.Second}}, read: readGoogleChat,
			accept: taken(map[string]any{"name": "spaces/S/messages/1"}),
			rateLimited: func(time.Duration) response {
				return *googleResponse(http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", "Resource has been exhausted")
			},
		},
		{
			name: "telegram", rates: []rateLimit{{count: 1, period: time.Second}, {count: 20, period: minute}}, read: readTelegram,
			accept: taken(map[string]any{"ok": true, "result": map[string]any{}}),
			rateLimited: func(after time.Duration) response {
				response := telegramResponse(http.StatusTooManyRequests, "Too Many Requests: retry after")
				return response.with("parameters", map[string]any{"retry_after": int(after/time.Second) + 1})
			},
		},
		{
			name: "matrix", rates: []rateLimit{{count: 20, period: 50 * time.Second}}, read: readMatrix,
			accept: func(_ *Fake, message Message) response {
				return response{http.StatusOK, nil, map[string]any{"event_id": "$" + message.ID}}
			},
			rateLimited: func(after time.Duration) response {
				return matrixResponse(http.StatusTooManyRequests, "M_LIMIT_EXCEEDED").with("retry_after_ms", after.Milliseconds())
			},
		},
		{
			name: "zulip", rates: []rateLimit{{count: 200, period: minute}}, read: readZulip,
			accept: taken(map[string]any{"result": "success", "msg": "", "id": 1}),
			rateLimited: func(after time.Duration) response {
				response := zulipResponse(http.StatusTooManyRequests, "RATE_LIMIT_HIT", "API usage exceeded rate limit")
				return response.with("retry-after", after.Seconds())
			},
		},
	}
}

// with adds a member to a JSON response.
func (attachment *response) with(name string, value any) response {
	attachment.body.(map[string]any)[name] = value
	return *attachment
}

func googleResponse(status int, code, message string) *response {
	return &response{status, nil, map[string]any{"error": map[string]any{"code": status, "status": code, "message": message}}}
}

type googleWidget struct {
	Text *struct {
		Text string `json:"text"`
	} `json:"textParagraph"`
	Fact *struct {
		TopLabel string `json:"topLabel"`
		Text     string `json:"text"`
		Wrap     bool   `json:"wrapText"`
	} `json:"decoratedText"`
	Buttons *struct {
		Buttons []struct {
			Text    string `json:"text"`
			OnClick struct {
				OpenLink struct {
					URL string `json:"url"`
				} `json:"openLink"`
			} `json:"onClick"`
		} `json:"buttons"`
	} `json:"buttonList"`
}

type googleMessage struct {
	Fallback string `json:"fallbackText"`
	Thread   *struct {
		Key string `json:"threadKey"`
	} `json:"thread"`
	Cards []struct {
		ID   string `json:"cardId"`
		Card struct {
			Sections []struct {
				Widgets []googleWidget `json:"widgets"`
			} `json:"sections"`
		} `json:"card"`
	} `json:"cardsV2"`
}

func readGoogleChat(_ *Fake, r *http.Request, body []byte) (Message, *response) {
	message := Message{ID: r.URL.Query().Get("requestId")}
	if refusal := requirePost(r, "application/json"); refusal != nil {
		return message, refusal
	}
	if len(body) > 32000 {
		return message, googleResponse(http.StatusBadRequest, "INVALID_ARGUMENT", "Message exceeds the maximum size")
	}
	var payload googleMessage
	if err := decodeStrict(body, &payload); err != nil || len(payload.Cards) != 1 || len(payload.Cards[0].Card.Sections) != 1 || payload.Fallback == "" {
		return message, googleResponse(http.StatusBadRequest, "INVALID_ARGUMENT", "Invalid JSON payload received")
	}
	message.addMentions(payload.Fallback, mentionTag)
	if strings.Contains(payload.Fallback, "<users/") {
		message.Mentions = append(message.Mentions, "<users/")
	}
	for _, widget := range payload.Cards[0].Card.Sections[0].Widgets {
		if err := message.addGoogleWidget(widget); err != nil {
			return message, googleResponse(http.StatusBadRequest, "INVALID_ARGUMENT", err.Error())
		}
	}
	return message, nil
}

func (r *Rendered) addGoogleWidget(widget googleWidget) error {
	tags := []string{"b", "font", "br"}
	switch {
	case widget.Text != nil:
		return r.addHTML(widget.Text.Text, tags...)
	case widget.Fact != nil:
		at := len(r.Lines)
		if err := r.addHTML(widget.Fact.TopLabel, tags...); err != nil {
			return err
		}
		if err := r.addHTML(widget.Fact.Text, tags...); err != nil {
			return err
		}
		r.Lines = append(r.Lines[:at], strings.Join(r.Lines[at:], " | "))
	case widget.Buttons != nil:
		for _, button := range widget.Buttons.Buttons {
			at := len(r.Lines)
			if err := r.addHTML(button.Text, tags...); err != nil {
				return err
			}
			r.Lines = append(r.Lines[:at], "[ "+strings.Join(r.Lines[at:], "")+" ] → "+button.OnClick.OpenLink.URL)
		}
	}
	return nil
}

func telegramResponse(code int, description string) *response {
	return &response{code, nil, map[string]any{"ok": false, "error_code": code, "description": description}}
}

func readTelegram(fake *Fake, r *http.Request, body []byte) (Message, *response) {
	var message Message
	if refusal := requirePost(r, "application/json"); refusal != nil {
		return message, refusal
	}
	token, method, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/bot"), "/")
	if method != "sendMessage" || (len(fake.secrets) > 0 && token != fake.secrets[0]) {
		return message, telegramResponse(http.StatusNotFound, "Not Found")
	}
	var payload struct {
		Chat    string `json:"chat_id"`
		Topic   int    `json:"message_thread_id"`
		Text    string `json:"text"`
		Mode    string `json:"parse_mode"`
		Preview struct {
			Off bool `json:"is_disabled"`
		} `json:"link_preview_options"`
	}
	if err := decodeStrict(body, &payload); err != nil || payload.Chat == "" || payload.Mode != "HTML" || !payload.Preview.Off {
		return message, telegramResponse(http.StatusBadRequest, "Bad Request: chat not found")
	}
	if err := message.addHTML(payload.Text, "b", "i", "a"); err != nil {
		return message, telegramResponse(http.StatusBadRequest, "Bad Request: can't parse entities: "+err.Error())
	}
	if utf16Length(payload.Text) > 4096 {
		return message, telegramResponse(http.StatusBadRequest, "Bad Request: message is too long")
	}
	return message, nil
}

func matrixResponse(status int, code string) *response {
	return &response{status, nil, map[string]any{"errcode": code, "error": "refused"}}
}

func readMatrix(fake *Fake, r *http.Request, body []byte) (Message, *response) {
	var message Message
	parts := strings.Split(r.URL.EscapedPath(), "/")
	if r.Method != http.MethodPut || len(parts) != 9 || parts[7] != "m.room.message" {
		return message, matrixResponse(http.StatusNotFound, "M_UNRECOGNIZED")
	}
	message.ID, _ = url.PathUnescape(parts[8])
	if len(fake.secrets) > 0 && r.Header.Get("Authorization") != "Bearer "+fake.secrets[0] {
		return message, matrixResponse(http.StatusUnauthorized, "M_UNKNOWN_TOKEN")
	}
	var payload struct {
		Type     string               `json:"msgtype"`
		Body     string               `json:"body"`
		Format   string               `json:"format"`
		HTML     string               `json:"formatted_body"`
		Mentions *map[string][]string `json:"m.mentions"`
	}
	if err := decodeStrict(body, &payload); err != nil || payload.Type != "m.notice" || payload.Body == "" || payload.Format != "org.matrix.custom.html" || payload.Mentions == nil {
		return message, matrixResponse(http.StatusBadRequest, "M_BAD_JSON")
	}
	if len(body) > 64*1024-1000 { // the server adds about 1000 bytes to an event
		return message, matrixResponse(http.StatusRequestEntityTooLarge, "M_TOO_LARGE")
	}
	if len(*payload.Mentions) > 0 {
		message.Mentions = append(message.Mentions, "m.mentions")
	}
	message.addMentions(payload.Body)
	if err := message.addHTML(payload.HTML, "strong", "br", "span", "ul", "li", "em", "a"); err != nil {
		return message, matrixResponse(http.StatusBadRequest, "M_BAD_JSON")
	}
	return message, nil
}

func zulipResponse(status int, code, msg string) *response {
	return &response{status, nil, map[string]any{"result": "error", "code": code, "msg": msg}}
}

func readZulip(fake *Fake, r *http.Request, body []byte) (Message, *response) {
	var message Message
	if refusal := requirePost(r, "application/x-www-form-urlencoded"); refusal != nil {
		return message, refusal
	}
	bot, key, _ := r.BasicAuth()
	if len(fake.secrets) > 0 && bot+":"+key != fake.secrets[0] {
		return message, zulipResponse(http.StatusUnauthorized, "UNAUTHORIZED", "Invalid API key")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("type") != "stream" || form.Get("to") == "" || form.Get("content") == "" || len(form) != 4 {
		return message, zulipResponse(http.StatusBadRequest, "BAD_REQUEST", "Missing argument")
	}
	if topic := form.Get("topic"); topic == "" || utf16Length(topic) > 60 {
		return message, zulipResponse(http.StatusBadRequest, "BAD_REQUEST", "Topic too long")
	}
	if utf16Length(form.Get("content")) > 10000 {
		return message, zulipResponse(http.StatusBadRequest, "BAD_REQUEST", "Message too long")
	}
	message.addText("#" + form.Get("to") + " > " + form.Get("topic"))
	message.addMarkdown(form.Get("content"), "*_`[]#>~|$\\<", false)
	return message, nil
}
