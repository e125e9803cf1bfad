package formats

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// matrix is a room of Matrix. The address is the room's send method, and the secret a bot's access token. The
// transaction id is the message id, so that the server shows a repeated message once. m.mentions is empty: no one is
// notified.
type matrix struct{}

// Name implements [Format].
func (matrix) Name() string { return "matrix" }

// Limits implements [Format].
func (matrix) Limits() Limits { return Limits{Every: 5 * time.Second, Burst: 8, Chat: true} }

// Check implements [Format].
func (f matrix) Check(target Target) error {
	parsed, err := parseAddress(target, f.Name())
	switch {
	case err != nil:
		return err
	case parsed.Hostname() == "matrix.to" || parsed.Hostname() == "app.element.io":
		return errors.New("the address is a link to a room: use the send method of its server, https://your-server/_matrix/client/v3/rooms/<room id>" +
			"/send/m.room.message")
	case !strings.Contains(parsed.Path, "/_matrix/client/v3/rooms/") || !strings.HasSuffix(strings.TrimSuffix(parsed.Path, "/"), "/send/m.room.message"):
		return errors.New("the address must be https://your-server/_matrix/client/v3/rooms/<room id>/send/m.room.message; " +
			"the room id begins with ! and is shown in the room's advanced settings")
	case strings.Contains(parsed.Path, "/rooms/#"):
		return errors.New("the address contains the room's name: use its room id (!…) instead")
	}
	return requireSecret(target, "the access token of the bot's account")
}

type matrixMessage struct {
	Type     string   `json:"msgtype"`
	Body     string   `json:"body"`
	Format   string   `json:"format"`
	HTML     string   `json:"formatted_body"`
	Mentions struct{} `json:"m.mentions"`
}

// Request implements [Format].
func (matrix) Request(message Message, target Target, _ time.Time) (*http.Request, error) {
	to := strings.TrimSuffix(strings.TrimSpace(target.URL), "/") + "/" + url.PathEscape(message.ID)
	limits := textLimits{headline: 900, name: 200, value: 2000, line: 500, allLines: 8000, perLine: 12}
	request, err := newRequest(http.MethodPut, to, "application/json", encodeJSON(matrixMessage{
		Type: "m.notice", Format: "org.matrix.custom.html",
		Body: matrixPlain(textRules{escapeMentions, jsonLength}.layout(message.Content, limits)),
		HTML: matrixHTML(textRules{escapeHTML, jsonLength}.layout(message.Content, limits)),
	}))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+target.currentSecret())
	return request, nil
}

// matrixPlain returns the plain-text body.
func matrixPlain(layout layout) string {
	lines := []string{layout.Headline, layout.status()}
	for _, line := range layout.Lines {
		lines = append(lines, "• "+line)
	}
	for _, fact := range layout.Facts {
		lines = append(lines, fact.Name+": "+fact.Value)
	}
	if layout.Link != "" {
		lines = append(lines, layout.Link)
	}
	return strings.Join(lines, "\n")
}

// matrixHTML returns the formatted body.
func matrixHTML(layout layout) string {
	var text strings.Builder
	fmt.Fprintf(&text, `<strong>%s</strong><br/><span data-mx-color="%s">%s</span>`, layout.Headline, layout.Tone.hexColor(), layout.status())
	if len(layout.Lines) > 0 {
		text.WriteString("<ul><li>" + strings.Join(layout.Lines, "</li><li>") + "</li></ul>")
	}
	for _, fact := range layout.Facts {
		fmt.Fprintf(&text, "<br/><em>%s:</em> %s", fact.Name, fact.Value)
	}
	if layout.Link != "" {
		fmt.Fprintf(&text, `<br/><a href="%s">%s</a>`, escapeAttribute(layout.Link), layout.LinkText)
	}
	return text.String()
}

var matrixErrors = map[string]codeMeaning{
	"M_LIMIT_EXCEEDED": {"too many messages", rateLimitedFor(0)},
	"M_TOO_LARGE":      {"the message is too large", permanentFailure},
	"M_BAD_JSON":       {"the message is not valid", permanentFailure},
	"M_NOT_JSON":       {"the message is not valid", permanentFailure},
	"M_UNKNOWN_TOKEN":  {"the access token is wrong or was revoked", Result{}},
	"M_MISSING_TOKEN":  {"the access token is missing", Result{}},
	"M_FORBIDDEN":      {"the bot is not in the room or may not send messages there", Result{}},
	"M_NOT_FOUND":      {"the room does not exist", Result{}},
	"M_UNRECOGNIZED":   {"the address is not the send method of a room", Result{}},
}

// Result implements [Format].
func (matrix) Result(status int, header http.Header, body []byte, now time.Time) Result {
	result := httpResult("Matrix", status, header, body, now)
	var response struct {
		Errcode, Error string
		EventID        string  `json:"event_id"`
		RetryAfter     float64 `json:"retry_after_ms"`
	}
	switch tryJSON(body, &response); {
	case result.OK && response.EventID != "":
		return result
	case response.Errcode != "":
		result.RetryAfter = max(result.RetryAfter, boundedSeconds(response.RetryAfter/1000))
		return codeResult("Matrix", response.Errcode, response.Error, matrixErrors, result)
	case result.OK:
		return Result{Reason: formatReason("Matrix", "200", "no event_id in the response: this is not a Matrix server", excerpt(body))}
	}
	return result
}
