package formats

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// cloudEvents is CloudEvents 1.0.2 in structured mode over HTTP, with the signature of Standard Webhooks.
type cloudEvents struct{ standard }

// Name implements [Format].
func (cloudEvents) Name() string { return "cloudevents" }

// cloudEvent is the envelope. Source identifies the agreement, and Subject the project and milestone in it.
type cloudEvent struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data,omitempty"`
}

// Request implements [Format].
func (cloudEvents) Request(message Message, target Target, now time.Time) (*http.Request, error) {
	var body struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(message.Body, &body); err != nil {
		return nil, err
	}
	event := cloudEvent{
		SpecVersion: "1.0", ID: message.ID, Type: "tandem." + message.Type, Time: message.RecordedAt.UTC(), DataContentType: "application/json", Data: body.Data,
	}
	event.Source, event.Subject = eventLocation(body.Data, message.Content.Link)
	return signedRequest(message.ID, target, "application/cloudevents+json; charset=utf-8", encodeJSON(event), now)
}

// eventLocation returns the source and subject of an event. The source contains the host of the link, so that the
// sources of two installations differ.
func eventLocation(data json.RawMessage, link string) (source, subject string) {
	var at struct {
		Agreement, Project string
		Milestone          json.RawMessage // its id, or an object with the id
	}
	tryJSON(data, &at)
	if parsed, err := url.Parse(link); err == nil && parsed.Host != "" {
		source = parsed.Scheme + "://" + parsed.Host
	}
	source += "/v1"
	if at.Agreement != "" {
		source += "/agreements/" + url.PathEscape(at.Agreement)
	}
	if at.Project != "" {
		subject = "projects/" + url.PathEscape(at.Project)
	}
	var state struct{ ID string }
	var id string
	tryJSON(at.Milestone, &id)
	tryJSON(at.Milestone, &state)
	if id += state.ID; id != "" {
		subject += "/milestones/" + url.PathEscape(id)
	}
	return source, subject
}
