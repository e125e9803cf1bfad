package webhooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
	"tandem/projections/sentences"
)

// Image is what the lanes need of the memory image. What it has applied is durable.
type Image interface {
	Webhook(ref domain.WebhookRef) *domain.Webhook
	WebhooksIn(p eventlog.Partition) []*domain.Webhook
	ReadersOf(a domain.AgreementID) []domain.PartnerID
	Upcoming(ctx context.Context, o projections.Outlook, g *projections.Progress) ([]projections.Occurrence, []domain.AgreementID, error)
	Occurrence(ctx context.Context, p domain.PartnerID, position string) (projections.Occurrence, bool, error)
	Tell(ctx context.Context, p domain.PartnerID, o projections.Occurrence, private bool, language string) (*projections.Told, error)
	Rewind(o projections.Outlook, g *projections.Progress, after string, since time.Time) error
	Recent(ctx context.Context, o projections.Outlook) ([]projections.Occurrence, error)
	Lost() []eventlog.LostTailError
	Skip(o projections.Outlook, g *projections.Progress, before time.Time, which func(domain.AgreementID) bool)
	Behind(o projections.Outlook, g *projections.Progress) uint64
	Zone(p domain.PartnerID) *time.Location
}

var _ Image = (*projections.Image)(nil)

// envelope is the standard body.
type envelope struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

// eventData is an event as in the feed, with what it changed. In the place of the milestone's id stands the
// milestone, as this partner saw it after the event.
type eventData struct {
	projections.Event
	Previous  map[string]any         `json:"previous"`
	Milestone *projections.Milestone `json:"milestone"`
}

// source makes deliveries of events. It remembers the last ones, because the webhooks of a partner are
// told the same at the same time.
type source struct {
	image Image
	book  *sentences.Book
	base  string

	mu   sync.Mutex
	kept map[saying]*Delivery
}

// saying is what makes two deliveries the same.
type saying struct {
	partner  domain.PartnerID
	event    string
	private  bool
	language string
}

const keptSayings = 1024

func newSource(image Image, book *sentences.Book, base string) *source {
	return &source{image: image, book: book, base: base, kept: map[saying]*Delivery{}}
}

// event returns the delivery of one event. It must not be changed.
func (s *source) event(ctx context.Context, w *domain.Webhook, o projections.Occurrence) (*Delivery, error) {
	key := saying{w.Ref.Partner, o.ID, w.Settings.IncludePrivate, w.Settings.Language}
	s.mu.Lock()
	d := s.kept[key]
	s.mu.Unlock()
	if d != nil {
		return d, nil
	}
	told, err := s.image.Tell(ctx, w.Ref.Partner, o, w.Settings.IncludePrivate, w.Settings.Language)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(envelope{o.Type, o.RecordedAt, eventData{told.Event, told.Previous, told.Milestone}})
	if err != nil {
		return nil, fmt.Errorf("write event %s: %w", o.ID, err)
	}
	d = &Delivery{ID: o.ID, Type: o.Type, At: o.RecordedAt, Body: body, Message: s.message(told, w.Settings.Language)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) >= keptSayings {
		clear(s.kept)
	}
	s.kept[key] = d
	return d, nil
}

func (s *source) message(t *projections.Told, language string) Message {
	link := s.base + "/v1/agreements/" + string(t.Event.Agreement)
	if p := t.Event.Project; p != nil {
		link += "/projects/" + string(*p)
	}
	if t.Milestone != nil {
		link = t.Milestone.URL
	}
	return NewMessage(s.book, OccurrenceOf(t, link, language))
}

// latest returns the latest event that a webhook asks for; nil if there is none among the last ones.
func (s *source) latest(ctx context.Context, w *domain.Webhook) (*Delivery, error) {
	list, err := s.image.Recent(ctx, outlook(w))
	for _, o := range slices.Backward(list) {
		if wants(w, o) {
			return s.event(ctx, w, o)
		}
	}
	return nil, err
}

// digestItem is an event in the body of a digest.
type digestItem struct {
	ID         string              `json:"id"`
	Position   string              `json:"position"`
	RecordedAt time.Time           `json:"recorded_at"`
	Type       string              `json:"type"`
	Agreement  domain.AgreementID  `json:"agreement"`
	Project    *domain.ProjectID   `json:"project"`
	Milestone  *domain.MilestoneID `json:"milestone"`
	Sentence   string              `json:"sentence"`
}

// digest returns one delivery about several events.
func (s *source) digest(ctx context.Context, w *domain.Webhook, b *batch, list []projections.Occurrence) (*Delivery, error) {
	data := struct {
		Partner domain.PartnerID `json:"partner"`
		Count   int              `json:"count"`
		Events  []digestItem     `json:"events"`
	}{w.Ref.Partner, len(list), nil}
	sum := Summary{Link: s.base + "/v1/partners/" + string(w.Ref.Partner) + "/events", Language: w.Settings.Language}
	for _, o := range list {
		told, err := s.image.Tell(ctx, w.Ref.Partner, o, w.Settings.IncludePrivate, w.Settings.Language)
		if err != nil {
			return nil, err
		}
		e := told.Event
		data.Events = append(data.Events, digestItem{e.ID, e.Position, e.RecordedAt, e.Type, e.Agreement, e.Project, e.Milestone, told.Sentence})
		sum.Headlines = append(sum.Headlines, s.message(told, w.Settings.Language).Headline)
		switch title := told.Agreement; {
		case sum.Title == "":
			sum.Title = title
		case sum.Title != title:
			sum.Title = told.Names[w.Ref.Partner]
		}
	}
	body, err := json.Marshal(envelope{digestType, b.At, data})
	if err != nil {
		return nil, fmt.Errorf("write a digest: %w", err)
	}
	return &Delivery{ID: b.ID, Type: digestType, At: b.At, Body: body, Message: NewDigest(s.book, sum)}, nil
}

// The types of what is delivered beside events.
const (
	digestType = "webhook.digest"
	testType   = "webhook.test"
	lossType   = "webhook.history_lost" // in the delivery log alone
)

// digestID names a digest after the events in it.
func digestID(list []projections.Occurrence) string {
	h := sha256.New()
	for _, o := range list {
		h.Write([]byte(o.ID))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// test returns the delivery of a test that was asked for.
func (s *source) test(w *domain.Webhook, r domain.WebhookRequest) (*Delivery, error) {
	data := struct {
		Partner domain.PartnerID `json:"partner"`
		Webhook domain.WebhookID `json:"webhook"`
		Number  int              `json:"number"`
	}{w.Ref.Partner, w.Ref.Webhook, r.Number}
	body, err := json.Marshal(envelope{testType, r.At.UTC(), data})
	if err != nil {
		return nil, fmt.Errorf("write a test: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "test/%s/%s/%d", w.Ref.Partner, w.Ref.Webhook, r.Number))
	title := w.Settings.Title
	if title == "" {
		title = string(w.Ref.Webhook)
	}
	link := s.base + "/v1/partners/" + string(w.Ref.Partner) + "/webhooks/" + string(w.Ref.Webhook)
	return &Delivery{
		ID: hex.EncodeToString(sum[:16]), Type: testType, At: r.At.UTC(), Body: body,
		Message: NewTest(s.book, title, link, w.Settings.Language),
	}, nil
}
