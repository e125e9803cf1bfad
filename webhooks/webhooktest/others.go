package webhooktest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// rawList is a list of things of several kinds.
type rawList []json.RawMessage

func tools() []tool {
	return append(append(append(programs(), western()...), chinese()...), others()...)
}

func others() []tool {
	taken := func(body map[string]any) func(*Fake, Message) answer {
		return func(*Fake, Message) answer { return answer{http.StatusOK, nil, body} }
	}
	return []tool{
		{
			name: "google-chat", rate: []rate{{n: 1, in: time.Second}}, read: readGoogleChat,
			took: taken(map[string]any{"name": "spaces/S/messages/1"}),
			slow: func(time.Duration) answer {
				return *googleSays(http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", "Resource has been exhausted")
			},
		},
		{
			name: "telegram", rate: []rate{{n: 1, in: time.Second}, {n: 20, in: minute}}, read: readTelegram,
			took: taken(map[string]any{"ok": true, "result": map[string]any{}}),
			slow: func(after time.Duration) answer {
				a := telegramSays(http.StatusTooManyRequests, "Too Many Requests: retry after")
				return a.and("parameters", map[string]any{"retry_after": int(after/time.Second) + 1})
			},
		},
		{
			name: "matrix", rate: []rate{{n: 20, in: 50 * time.Second}}, read: readMatrix,
			took: func(_ *Fake, m Message) answer {
				return answer{http.StatusOK, nil, map[string]any{"event_id": "$" + m.ID}}
			},
			slow: func(after time.Duration) answer {
				return matrixSays(http.StatusTooManyRequests, "M_LIMIT_EXCEEDED").and("retry_after_ms", after.Milliseconds())
			},
		},
		{
			name: "zulip", rate: []rate{{n: 200, in: minute}}, read: readZulip,
			took: taken(map[string]any{"result": "success", "msg": "", "id": 1}),
			slow: func(after time.Duration) answer {
				a := zulipSays(http.StatusTooManyRequests, "RATE_LIMIT_HIT", "API usage exceeded rate limit")
				return a.and("retry-after", after.Seconds())
			},
		},
	}
}

// and adds a member to an answer in JSON.
func (a *answer) and(name string, value any) answer {
	a.body.(map[string]any)[name] = value
	return *a
}

func googleSays(status int, code, message string) *answer {
	return &answer{status, nil, map[string]any{"error": map[string]any{"code": status, "status": code, "message": message}}}
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

func readGoogleChat(_ *Fake, r *http.Request, body []byte) (Message, *answer) {
	shown := Message{ID: r.URL.Query().Get("requestId")}
	if refused := isPost(r, "application/json"); refused != nil {
		return shown, refused
	}
	if len(body) > 32000 {
		return shown, googleSays(http.StatusBadRequest, "INVALID_ARGUMENT", "Message exceeds the maximum size")
	}
	var m googleMessage
	if err := strictly(body, &m); err != nil || len(m.Cards) != 1 || len(m.Cards[0].Card.Sections) != 1 || m.Fallback == "" {
		return shown, googleSays(http.StatusBadRequest, "INVALID_ARGUMENT", "Invalid JSON payload received")
	}
	shown.calls(m.Fallback, atTag)
	if strings.Contains(m.Fallback, "<users/") {
		shown.Calls = append(shown.Calls, "<users/")
	}
	for _, w := range m.Cards[0].Card.Sections[0].Widgets {
		if err := shown.googleWidget(w); err != nil {
			return shown, googleSays(http.StatusBadRequest, "INVALID_ARGUMENT", err.Error())
		}
	}
	return shown, nil
}

func (s *Shown) googleWidget(w googleWidget) error {
	tags := []string{"b", "font", "br"}
	switch {
	case w.Text != nil:
		return s.markup(w.Text.Text, tags...)
	case w.Fact != nil:
		at := len(s.Lines)
		if err := s.markup(w.Fact.TopLabel, tags...); err != nil {
			return err
		}
		if err := s.markup(w.Fact.Text, tags...); err != nil {
			return err
		}
		s.Lines = append(s.Lines[:at], strings.Join(s.Lines[at:], " | "))
	case w.Buttons != nil:
		for _, b := range w.Buttons.Buttons {
			at := len(s.Lines)
			if err := s.markup(b.Text, tags...); err != nil {
				return err
			}
			s.Lines = append(s.Lines[:at], "[ "+strings.Join(s.Lines[at:], "")+" ] → "+b.OnClick.OpenLink.URL)
		}
	}
	return nil
}

func telegramSays(code int, description string) *answer {
	return &answer{code, nil, map[string]any{"ok": false, "error_code": code, "description": description}}
}

func readTelegram(f *Fake, r *http.Request, body []byte) (Message, *answer) {
	var shown Message
	if refused := isPost(r, "application/json"); refused != nil {
		return shown, refused
	}
	token, method, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/bot"), "/")
	if method != "sendMessage" || (len(f.secrets) > 0 && token != f.secrets[0]) {
		return shown, telegramSays(http.StatusNotFound, "Not Found")
	}
	var m struct {
		Chat    string `json:"chat_id"`
		Topic   int    `json:"message_thread_id"`
		Text    string `json:"text"`
		Mode    string `json:"parse_mode"`
		Preview struct {
			Off bool `json:"is_disabled"`
		} `json:"link_preview_options"`
	}
	if err := strictly(body, &m); err != nil || m.Chat == "" || m.Mode != "HTML" || !m.Preview.Off {
		return shown, telegramSays(http.StatusBadRequest, "Bad Request: chat not found")
	}
	if err := shown.markup(m.Text, "b", "i", "a"); err != nil {
		return shown, telegramSays(http.StatusBadRequest, "Bad Request: can't parse entities: "+err.Error())
	}
	if units(m.Text) > 4096 {
		return shown, telegramSays(http.StatusBadRequest, "Bad Request: message is too long")
	}
	return shown, nil
}

func matrixSays(status int, code string) *answer {
	return &answer{status, nil, map[string]any{"errcode": code, "error": "refused"}}
}

func readMatrix(f *Fake, r *http.Request, body []byte) (Message, *answer) {
	var shown Message
	parts := strings.Split(r.URL.EscapedPath(), "/")
	if r.Method != http.MethodPut || len(parts) != 9 || parts[7] != "m.room.message" {
		return shown, matrixSays(http.StatusNotFound, "M_UNRECOGNIZED")
	}
	shown.ID, _ = url.PathUnescape(parts[8])
	if len(f.secrets) > 0 && r.Header.Get("Authorization") != "Bearer "+f.secrets[0] {
		return shown, matrixSays(http.StatusUnauthorized, "M_UNKNOWN_TOKEN")
	}
	var m struct {
		Type     string               `json:"msgtype"`
		Body     string               `json:"body"`
		Format   string               `json:"format"`
		HTML     string               `json:"formatted_body"`
		Mentions *map[string][]string `json:"m.mentions"`
	}
	if err := strictly(body, &m); err != nil || m.Type != "m.notice" || m.Body == "" || m.Format != "org.matrix.custom.html" || m.Mentions == nil {
		return shown, matrixSays(http.StatusBadRequest, "M_BAD_JSON")
	}
	if len(body) > 64*1024-1000 { // the server adds what an event needs
		return shown, matrixSays(http.StatusRequestEntityTooLarge, "M_TOO_LARGE")
	}
	if len(*m.Mentions) > 0 {
		shown.Calls = append(shown.Calls, "m.mentions")
	}
	shown.calls(m.Body)
	if err := shown.markup(m.HTML, "strong", "br", "span", "ul", "li", "em", "a"); err != nil {
		return shown, matrixSays(http.StatusBadRequest, "M_BAD_JSON")
	}
	return shown, nil
}

func zulipSays(status int, code, msg string) *answer {
	return &answer{status, nil, map[string]any{"result": "error", "code": code, "msg": msg}}
}

func readZulip(f *Fake, r *http.Request, body []byte) (Message, *answer) {
	var shown Message
	if refused := isPost(r, "application/x-www-form-urlencoded"); refused != nil {
		return shown, refused
	}
	bot, key, _ := r.BasicAuth()
	if len(f.secrets) > 0 && bot+":"+key != f.secrets[0] {
		return shown, zulipSays(http.StatusUnauthorized, "UNAUTHORIZED", "Invalid API key")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("type") != "stream" || form.Get("to") == "" || form.Get("content") == "" || len(form) != 4 {
		return shown, zulipSays(http.StatusBadRequest, "BAD_REQUEST", "Missing argument")
	}
	if topic := form.Get("topic"); topic == "" || units(topic) > 60 {
		return shown, zulipSays(http.StatusBadRequest, "BAD_REQUEST", "Topic too long")
	}
	if units(form.Get("content")) > 10000 {
		return shown, zulipSays(http.StatusBadRequest, "BAD_REQUEST", "Message too long")
	}
	shown.add("#" + form.Get("to") + " > " + form.Get("topic"))
	shown.markdown(form.Get("content"), "*_`[]#>~|$\\<", false)
	return shown, nil
}
