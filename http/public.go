package http

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"tandem/domain"
	"tandem/projections"
)

// What everybody sees without a token (R17). It is made of public things only, so its ETag is one of its
// bytes alone: no event that is not public changes either. An agreement of which nothing is public
// answers like one that does not exist.

// publicPolicy lets the page show its own badge and nothing else.
const publicPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'"

//go:embed public
var publicFiles embed.FS

var publicTemplates = template.Must(template.New("").Funcs(template.FuncMap{
	"day": day, "words": words, "tone": tone, "and": and,
}).ParseFS(publicFiles, "public/*"))

func publicRoutes() []*route {
	show := func(name, path, summary string, answer any, contentType string, render func(projections.PublicStatus) ([]byte, error)) *route {
		return &route{
			method: http.MethodGet, name: name, path: "/public/{agreement}" + path, summary: summary, callers: everybody, answer: answer,
			handle: public(contentType, render), success: []int{http.StatusOK, http.StatusNotModified}, open: true, public: true,
		}
	}
	return []*route{
		show("getPublicPage", "", "What is public of the agreement, as a page; 404 if nothing is", media("text/html"),
			"text/html; charset=utf-8", publicPage),
		show("getPublicStatus", "/status", "What is public of the agreement: milestones that every participant approved to publish, as they are now; 404 if nothing is",
			projections.PublicStatus{}, jsonMedia, func(p projections.PublicStatus) ([]byte, error) { return json.Marshal(p, json.Deterministic(true)) }),
		show("getPublicBadge", "/badge.svg", "How many of the public milestones are accepted, as a small picture; 404 if nothing is public",
			media("image/svg+xml"), "image/svg+xml", publicBadge),
	}
}

// public makes a handler of what is rendered from the public's view. The query does not matter: links are
// passed on with marks of who did so.
func public(contentType string, render func(projections.PublicStatus) ([]byte, error)) func(*call) error {
	return func(q *call) error {
		if old, err := q.upToDate(); old != nil || err != nil {
			return cmp.Or(err, old)
		}
		var status projections.PublicStatus
		err := q.Image.View(projections.Viewer{}, func(v *projections.View) error {
			seen := false
			switch status, seen = v.Public(q.agreement()); {
			case !seen:
				return errNotFound
			case !q.intact(v):
				return errHistoryLost
			}
			return nil
		})
		if err != nil {
			return err
		}
		body, err := render(status)
		if err != nil {
			return err
		}
		q.sendPublic(contentType, body)
		return nil
	}
}

// sendPublic answers, or 304 when the client has it. Caches between may keep it for a minute.
func (q *call) sendPublic(contentType string, body []byte) {
	sum := sha256.Sum256(body)
	out := reply{etag: []string{`"` + hex.EncodeToString(sum[:12]) + `"`}}
	w := q.c.Response()
	h := w.Header()
	h["Etag"] = out.etag
	h["Cache-Control"] = []string{"public, max-age=60"}
	h["Content-Security-Policy"] = []string{publicPolicy}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["Referrer-Policy"] = []string{"no-referrer"}
	if q.matches(out) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	q.write(http.StatusOK, []string{contentType}, body)
}

func publicPage(p projections.PublicStatus) ([]byte, error) { return rendered("page.html", p) }

// badge is what the small picture shows. Its texts are drawn in a fixed width, whatever fonts there are.
type badge struct {
	Label, Text, Tone       string
	LabelWidth, Width       int
	LabelCentre, TextCentre int
	LabelLength, TextLength int
}

func publicBadge(p projections.PublicStatus) ([]byte, error) {
	const character, margin = 6, 8
	b := badge{Label: "joint milestones", Text: strconv.Itoa(p.Accepted) + " of " + strconv.Itoa(p.Expected) + " accepted", Tone: "open"}
	if p.Expected > 0 && p.Accepted == p.Expected {
		b.Tone = "done"
	} else if p.Overdue > 0 {
		b.Tone = "late"
	}
	b.LabelLength, b.TextLength = len(b.Label)*character, len(b.Text)*character
	b.LabelWidth = b.LabelLength + 2*margin
	b.Width = b.LabelWidth + b.TextLength + 2*margin
	b.LabelCentre, b.TextCentre = b.LabelWidth/2, (b.LabelWidth+b.Width)/2
	return rendered("badge.svg", b)
}

func rendered(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	err := publicTemplates.ExecuteTemplate(&b, name, data)
	return b.Bytes(), err
}

// day writes a date so that nobody mistakes the month.
func day(d any) string {
	switch d := d.(type) {
	case domain.Date:
		return d.Time().Format("2 Jan 2006")
	case *domain.Date:
		if d != nil {
			return d.Time().Format("2 Jan 2006")
		}
	}
	return ""
}

func words(s domain.MilestoneState) string { return strings.ReplaceAll(string(s), "_", " ") }

// tone is the colour beside the word for a state.
func tone(m projections.PublicMilestone) string {
	switch {
	case m.State == domain.Waived || m.State == domain.Cancelled:
		return "gone"
	case m.AcceptedOn != nil:
		return "done"
	case m.State == domain.Disputed:
		return "late"
	}
	return "open"
}

// and joins names: "Nokia, Xiaomi and ZTE".
func and(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
