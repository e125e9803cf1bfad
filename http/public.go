package http

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"strconv"
	"unicode"

	"github.com/go-json-experiment/json"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
)

// Public responses, which need no token (R17). They contain published data only, and their ETag is a hash of their
// bytes, so an event that is not public changes neither. An agreement without published data gets the same response
// as a nonexistent one.

// publicPolicy lets the page load its own badge only.
const publicPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'"

//go:embed public
var publicFiles embed.FS

// publicTemplates are cloned before they are executed, with the functions of a language.
var publicTemplates = template.Must(template.New("").Funcs(publicText{}.functions()).ParseFS(publicFiles, "public/*"))

func publicRoutes() []*route {
	show := func(name, path, summary string, answer any, contentType string, render func(publicText, api.PublicStatus) ([]byte, error)) *route {
		return &route{
			method: http.MethodGet, operationID: name, path: path, summary: summary, callers: anyone, responseBody: answer,
			query: []parameter{publicLanguage}, handle: public(contentType, render), success: []int{http.StatusOK, http.StatusNotModified}, anonymous: true, public: true,
		}
	}
	return []*route{
		show("getPublicPage", "/public/{agreement}", "The agreement's published data as a page; 404 if there is none", media("text/html"),
			"text/html; charset=utf-8", publicPage),
		show("getPublicStatus", "/public/{agreement}/status", "The agreement's published milestones in their current state; 404 if there are none",
			api.PublicStatus{}, jsonMedia, func(_ publicText, status api.PublicStatus) ([]byte, error) {
				return json.Marshal(status, json.Deterministic(true))
			}),
		show("getPublicBadge", "/public/{agreement}/badge.svg", "The number of published and accepted milestones as a badge; 404 if there are none",
			media("image/svg+xml"), "image/svg+xml", publicBadge),
	}
}

// public returns the handler of a response rendered from the public view. It ignores the query other than a known
// language, because links are passed on with tracking parameters.
func public(contentType string, render func(publicText, api.PublicStatus) ([]byte, error)) func(*call) error {
	return func(req *call) error {
		if stale, err := req.checkFresh(); stale != nil || err != nil {
			return cmp.Or(err, stale)
		}
		var status api.PublicStatus
		err := req.cfg.ReadModel.View(projections.Viewer{}, func(view *projections.View) error {
			seen := false
			switch status, seen = view.Public(req.agreement()); {
			case !seen:
				return errNotFound
			case !req.intact(view):
				return errHistoryLost
			}
			return nil
		})
		if err != nil {
			return err
		}
		body, err := render(publicText{req.book, req.language()}, status)
		if err != nil {
			return err
		}
		req.sendPublic(contentType, body)
		return nil
	}
}

// sendPublic sends a response, or 304 if the client has it. Shared caches may store it for a minute.
func (c *call) sendPublic(contentType string, body []byte) {
	sum := sha256.Sum256(body)
	out := reply{etag: []string{`"` + hex.EncodeToString(sum[:12]) + `"`}}
	response := c.echoCtx.Response()
	header := response.Header()
	header["Etag"] = out.etag
	header["Cache-Control"] = []string{"public, max-age=60"}
	header["Content-Security-Policy"] = []string{publicPolicy}
	header["X-Content-Type-Options"] = []string{"nosniff"}
	header["Referrer-Policy"] = []string{"no-referrer"}
	if c.matches(out) {
		response.WriteHeader(http.StatusNotModified)
		return
	}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.write(http.StatusOK, []string{contentType}, body)
}

func publicPage(text publicText, status api.PublicStatus) ([]byte, error) {
	return text.render("page.html", status)
}

// badge contains the texts of the badge. They are drawn with a fixed width, independent of the available fonts.
type badge struct {
	Label, Text, Tone       string
	LabelWidth, Width       int
	LabelCentre, TextCentre int
	LabelLength, TextLength int
}

func publicBadge(text publicText, status api.PublicStatus) ([]byte, error) {
	const margin = 8
	picture := badge{
		Label: text.say("label"), Text: text.message("public.accepted_count", map[string]any{"Accepted": status.Accepted, "Expected": status.Expected}), Tone: "open",
	}
	if status.Expected > 0 && status.Accepted == status.Expected {
		picture.Tone = "done"
	} else if status.Overdue > 0 {
		picture.Tone = "late"
	}
	picture.LabelLength, picture.TextLength = badgeLength(picture.Label), badgeLength(picture.Text)
	picture.LabelWidth = picture.LabelLength + 2*margin
	picture.Width = picture.LabelWidth + picture.TextLength + 2*margin
	picture.LabelCentre, picture.TextCentre = picture.LabelWidth/2, (picture.LabelWidth+picture.Width)/2
	return text.render("badge.svg", picture)
}

// badgeLength returns the width of a text of the badge in pixels. Chinese characters are wider.
func badgeLength(text string) (length int) {
	for _, char := range text {
		if length += 6; unicode.Is(unicode.Han, char) {
			length += 5
		}
	}
	return length
}

// tone returns the colour of a state.
func tone(milestone api.PublicMilestone) string {
	switch {
	case milestone.State == domain.Waived || milestone.State == domain.Cancelled:
		return "gone"
	case milestone.AcceptedOn != nil:
		return "done"
	case milestone.State == domain.Disputed:
		return "late"
	}
	return "open"
}
