package webhooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"tandem/api"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
	"tandem/projections/feed"
	"tandem/projections/sentences"
	"tandem/webhooks/formats"
)

// ReadModel provides the events and webhooks that the engine reads. All events that it has applied are durable.
type ReadModel interface {
	Webhook(ref domain.WebhookRef) *domain.Webhook
	WebhooksIn(partition eventlog.Partition) []*domain.Webhook
	ReadersOf(agreement domain.AgreementID) []domain.PartnerID
	OpenLosses() []eventlog.LostTailError
	Zone(partner domain.PartnerID) *time.Location
	NamesVersion() uint64
}

var _ ReadModel = (*projections.ReadModel)(nil)

// standardBody is the JSON body for programs.
type standardBody struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

// eventData is an event as in the feed, with the previous values of changed fields. The milestone, as the partner saw
// it after the event, replaces its id.
type eventData struct {
	api.Event
	Previous  map[string]any `json:"previous"`
	Milestone *api.Milestone `json:"milestone"`
}

// messageBuilder builds messages. It caches the latest ones, because the webhooks of a partner send the same events
// at the same time.
type messageBuilder struct {
	events  *feed.Reader
	names   func() uint64 // version of the members' names, see projections.ReadModel
	book    *sentences.Book
	baseURL string

	mu     sync.Mutex
	cached map[messageKey]*formats.Message
}

// messageKey identifies a cached message.
type messageKey struct {
	partner  domain.PartnerID
	event    string
	private  bool
	language string
	names    uint64 // version
}

const maxCachedMessages = 1024

func newMessageBuilder(events *feed.Reader, names func() uint64, book *sentences.Book, base string) *messageBuilder {
	return &messageBuilder{events: events, names: names, book: book, baseURL: base, cached: map[messageKey]*formats.Message{}}
}

// eventMessage returns the message about one event. Callers must not modify it.
func (b *messageBuilder) eventMessage(ctx context.Context, webhook *domain.Webhook, event projections.VisibleEvent) (*formats.Message, error) {
	key := messageKey{webhook.Ref.Partner, event.ID(), webhook.Settings.IncludePrivate, webhook.Settings.Language, b.names()}
	b.mu.Lock()
	message := b.cached[key]
	b.mu.Unlock()
	if message != nil {
		return message, nil
	}
	rendered, err := b.events.RenderEvent(ctx, webhook.Ref.Partner, event, webhook.Settings.IncludePrivate, webhook.Settings.Language)
	if err != nil {
		return nil, err
	}
	message, err = hideable([]*projections.RenderedEvent{rendered}, func(list []*projections.RenderedEvent) (*formats.Message, error) {
		return b.aboutEvent(list[0], webhook.Settings.Language)
	})
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.cached) >= maxCachedMessages {
		clear(b.cached)
	}
	b.cached[key] = message
	return message, nil
}

// aboutEvent returns the message about a rendered event.
func (b *messageBuilder) aboutEvent(rendered *projections.RenderedEvent, language string) (*formats.Message, error) {
	event := rendered.Event
	body, err := json.Marshal(standardBody{event.Type, event.RecordedAt, eventData{event, rendered.Previous, rendered.Milestone}})
	if err != nil {
		return nil, fmt.Errorf("write event %s: %w", event.ID, err)
	}
	return &formats.Message{ID: event.ID, Type: event.Type, RecordedAt: event.RecordedAt, Body: body, Content: b.content(rendered, language)}, nil
}

// hideable returns the message that write makes of rendered events. If it contains display names of members, it can be
// written again without them.
func hideable(list []*projections.RenderedEvent, write func([]*projections.RenderedEvent) (*formats.Message, error)) (*formats.Message, error) {
	message, err := write(list)
	if err != nil {
		return nil, err
	}
	for _, rendered := range list {
		message.Members = append(message.Members, rendered.Members...)
	}
	if len(message.Members) > 0 {
		message.WithoutMembers = func() (*formats.Message, error) {
			unnamed := make([]*projections.RenderedEvent, len(list))
			for i, rendered := range list {
				unnamed[i] = rendered.WithoutMembers()
			}
			return write(unnamed)
		}
	}
	return message, nil
}

// content returns the text for chat services.
func (b *messageBuilder) content(rendered *projections.RenderedEvent, language string) formats.Content {
	link := b.baseURL + "/v1/agreements/" + string(rendered.Event.Agreement)
	if project := rendered.Event.Project; project != nil {
		link += "/projects/" + string(*project)
	}
	if rendered.Milestone != nil {
		link = rendered.Milestone.URL
	}
	return EventContent(b.book, NewContentInput(rendered, link, language))
}

// latestMessage returns the message about the latest event that a webhook wants; nil if no recent event qualifies.
func (b *messageBuilder) latestMessage(ctx context.Context, webhook *domain.Webhook) (*formats.Message, error) {
	event, found, err := b.events.Latest(ctx, readerOf(webhook), eventQuery(webhook), eventsPerRead)
	if err != nil || !found {
		return nil, err
	}
	return b.eventMessage(ctx, webhook, event)
}

// digestItem is one event in the body of a digest.
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

// digestMessage returns one message about several events.
func (b *messageBuilder) digestMessage(ctx context.Context, webhook *domain.Webhook, batch *batch, list []projections.VisibleEvent) (*formats.Message, error) {
	all := make([]*projections.RenderedEvent, len(list))
	for i, event := range list {
		rendered, err := b.events.RenderEvent(ctx, webhook.Ref.Partner, event, webhook.Settings.IncludePrivate, webhook.Settings.Language)
		if err != nil {
			return nil, err
		}
		all[i] = rendered
	}
	return hideable(all, func(list []*projections.RenderedEvent) (*formats.Message, error) {
		return b.digest(webhook, batch, list)
	})
}

// digest returns one message about rendered events.
func (b *messageBuilder) digest(webhook *domain.Webhook, batch *batch, list []*projections.RenderedEvent) (*formats.Message, error) {
	data := struct {
		Partner domain.PartnerID `json:"partner"`
		Count   int              `json:"count"`
		Events  []digestItem     `json:"events"`
	}{webhook.Ref.Partner, len(list), nil}
	input := DigestInput{Link: b.baseURL + "/v1/partners/" + string(webhook.Ref.Partner) + "/events", Language: webhook.Settings.Language}
	for _, rendered := range list {
		event := rendered.Event
		data.Events = append(data.Events, digestItem{event.ID, event.Position, event.RecordedAt, event.Type, event.Agreement, event.Project, event.Milestone, rendered.Sentence})
		input.Headlines = append(input.Headlines, b.content(rendered, webhook.Settings.Language).Headline)
		switch title := rendered.Agreement; {
		case input.Title == "":
			input.Title = title
		case !input.Several && input.Title != title:
			input.Title, input.Several = rendered.Names[webhook.Ref.Partner], true
		}
	}
	body, err := json.Marshal(standardBody{digestType, batch.LastRecordedAt, data})
	if err != nil {
		return nil, fmt.Errorf("write a digest: %w", err)
	}
	return &formats.Message{ID: batch.ID, Type: digestType, RecordedAt: batch.LastRecordedAt, Body: body, Content: DigestContent(b.book, input)}, nil
}

// Message types besides those of events.
const (
	digestType = "webhook.digest"
	testType   = "webhook.test"
	lossType   = "webhook.history_lost" // only in the attempt history
)

// digestID derives the id of a digest from the ids of its events.
func digestID(list []projections.VisibleEvent) string {
	hash := sha256.New()
	for _, event := range list {
		hash.Write([]byte(event.ID()))
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// testMessage returns the message of a requested test.
func (b *messageBuilder) testMessage(webhook *domain.Webhook, request domain.WebhookRequest) (*formats.Message, error) {
	data := struct {
		Partner domain.PartnerID `json:"partner"`
		Webhook domain.WebhookID `json:"webhook"`
		Number  int              `json:"number"`
	}{webhook.Ref.Partner, webhook.Ref.Webhook, request.Number}
	body, err := json.Marshal(standardBody{testType, request.At.UTC(), data})
	if err != nil {
		return nil, fmt.Errorf("write a test: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "test/%s/%s/%d", webhook.Ref.Partner, webhook.Ref.Webhook, request.Number))
	title := webhook.Settings.Title
	if title == "" {
		title = string(webhook.Ref.Webhook)
	}
	link := b.baseURL + "/v1/partners/" + string(webhook.Ref.Partner) + "/webhooks/" + string(webhook.Ref.Webhook)
	return &formats.Message{
		ID: hex.EncodeToString(sum[:16]), Type: testType, RecordedAt: request.At.UTC(), Body: body,
		Content: TestContent(b.book, title, link, webhook.Settings.Language),
	}, nil
}
