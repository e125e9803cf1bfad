package webhooks

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// matrix is a room of Matrix. The address is the room's send method and the secret is a bot's access token. The
// transaction is the delivery's id, so that a repeated one is shown once. Nobody is called: m.mentions is empty.
type matrix struct{}

// Name implements [Format].
func (matrix) Name() string { return "matrix" }

// Limits implements [Format].
func (matrix) Limits() Limits { return Limits{Every: 5 * time.Second, Burst: 8, Chat: true} }

// Check implements [Format].
func (f matrix) Check(t Target) error {
	u, err := address(t, f.Name())
	switch {
	case err != nil:
		return err
	case u.Hostname() == "matrix.to" || u.Hostname() == "app.element.io":
		return errors.New("this is a link to a room, not to its server: use https://your-server/_matrix/client/v3/rooms/<room id>" +
			"/send/m.room.message")
	case !strings.Contains(u.Path, "/_matrix/client/v3/rooms/") || !strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/send/m.room.message"):
		return errors.New("the address must be https://your-server/_matrix/client/v3/rooms/<room id>/send/m.room.message; " +
			"the room's id begins with ! and is in its advanced settings")
	case strings.Contains(u.Path, "/rooms/#"):
		return errors.New("use the room's id, which begins with !, instead of its name")
	}
	return single(t, true, "the access token of the bot's account")
}

type matrixMessage struct {
	Type     string   `json:"msgtype"`
	Body     string   `json:"body"`
	Format   string   `json:"format"`
	HTML     string   `json:"formatted_body"`
	Mentions struct{} `json:"m.mentions"`
}

// Request implements [Format].
func (matrix) Request(d Delivery, t Target, _ time.Time) (*http.Request, error) {
	to := strings.TrimSuffix(strings.TrimSpace(t.URL), "/") + "/" + url.PathEscape(d.ID)
	b := budget{headline: 900, name: 200, value: 2000, line: 500, lines: 8000, each: 12}
	r, err := post(http.MethodPut, to, "application/json", jsonOf(matrixMessage{
		Type: "m.notice", Format: "org.matrix.custom.html",
		Body: matrixPlain(script{quiet, countJSON}.parts(d.Message, b)),
		HTML: matrixHTML(script{inHTML, countJSON}.parts(d.Message, b)),
	}))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+t.secret())
	return r, nil
}

func matrixPlain(p parts) string {
	lines := []string{p.Headline, p.status()}
	for _, line := range p.Lines {
		lines = append(lines, "• "+line)
	}
	for _, f := range p.Facts {
		lines = append(lines, f.Name+": "+f.Value)
	}
	if p.Link != "" {
		lines = append(lines, p.Link)
	}
	return strings.Join(lines, "\n")
}

func matrixHTML(p parts) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<strong>%s</strong><br/><span data-mx-color="%s">%s</span>`, p.Headline, p.Tone.hex(), p.status())
	if len(p.Lines) > 0 {
		b.WriteString("<ul><li>" + strings.Join(p.Lines, "</li><li>") + "</li></ul>")
	}
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "<br/><em>%s:</em> %s", f.Name, f.Value)
	}
	if p.Link != "" {
		fmt.Fprintf(&b, `<br/><a href="%s">%s</a>`, inAttribute(p.Link), p.LinkText)
	}
	return b.String()
}

var matrixErrors = map[string]verdict{
	"M_LIMIT_EXCEEDED": {"too many messages", slow(0)},
	"M_TOO_LARGE":      {"the message is too large", never},
	"M_BAD_JSON":       {"the message is not valid", never},
	"M_NOT_JSON":       {"the message is not valid", never},
	"M_UNKNOWN_TOKEN":  {"the access token is wrong or was revoked", Result{}},
	"M_MISSING_TOKEN":  {"the access token is missing", Result{}},
	"M_FORBIDDEN":      {"the bot is not in the room or may not write there", Result{}},
	"M_NOT_FOUND":      {"the room does not exist", Result{}},
	"M_UNRECOGNIZED":   {"the address is not a room's send method", Result{}},
}

// Result implements [Format].
func (matrix) Result(status int, header http.Header, body []byte, now time.Time) Result {
	r := answered("Matrix", status, header, body, now)
	var said struct {
		Errcode, Error string
		EventID        string  `json:"event_id"`
		RetryAfter     float64 `json:"retry_after_ms"`
	}
	switch known(body, &said); {
	case r.OK && said.EventID != "":
		return r
	case said.Errcode != "":
		r.After = max(r.After, wait(said.RetryAfter/1000))
		return refused("Matrix", said.Errcode, said.Error, matrixErrors, r)
	case r.OK:
		return Result{Reason: reason("Matrix", "200", "without an event: this is no server of Matrix", excerpt(body))}
	}
	return r
}
