package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
	"tandem/projections/feed"
)

func unordered(settings *domain.WebhookSettings) { settings.Order = domain.SkipAhead }

func slackUnordered(settings *domain.WebhookSettings) {
	settings.Format, settings.Order = "slack", domain.SkipAhead
}

func answerOK(w http.ResponseWriter, _ receivedMessage) { _, _ = w.Write([]byte("ok")) }

// The messages of an ordered lane are the events of the feed, in order, with the state after each event.
func TestEventsAreSentInFeedOrder(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	world.plan("before")
	hook := world.hook("ops", receiver.URL+"/in?key=0123456789abcdef")
	world.plan("m1", "m2", "m3")
	world.do(nokia, domain.StartMilestone{MilestoneRef: ref("m1")})
	world.do(nokia, domain.EditMilestone{MilestoneRef: ref("m1"), DueOn: new(domain.Date(20180415))})
	var messages []receivedMessage
	for range 5 {
		messages = append(messages, receiver.next(t))
	}

	// Each message contains the event as the feed shows it.
	events := world.lastEvents(5)
	for i, message := range messages {
		requireEvent(t, events[i], message)
	}
	first, last := messages[0].Body["data"].(map[string]any), messages[4].Body["data"].(map[string]any)
	require.Equal(t, map[string]any{"due_on": "2018-03-30"}, last["previous"])
	require.Equal(t, "in_progress", last["milestone"].(map[string]any)["state"])
	require.Equal(t, "2018-04-15", last["milestone"].(map[string]any)["due_on"])
	require.Equal(t, "planned", first["milestone"].(map[string]any)["state"], "the state after the first event")

	// The attempt history contains the request and the response without secrets.
	attempt := world.attempts(hook, 5)[4]
	require.Equal(t, Attempt{
		Sequence: 5, MessageID: messages[4].ID, Type: "milestone.edited", Number: 1, StartedAt: attempt.StartedAt, OK: true, Status: 200,
		Method: "POST", URL: attempt.URL, RequestHeaders: attempt.RequestHeaders, ResponseHeaders: attempt.ResponseHeaders,
		RequestBody: messages[4].Raw, Events: []string{events[4].Position},
	}, attempt)
	require.Equal(t, "…", attempt.RequestHeaders["Webhook-Signature"])
	require.Contains(t, attempt.URL, "/…?key=…")
	require.Equal(t, "0", attempt.ResponseHeaders["Content-Length"])

	// The latest message and the status agree.
	message, found, err := world.engine.LatestMessage(t.Context(), world.webhook(hook))
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, messages[4].Raw, string(message.Body))
	require.EqualValues(t, 5, world.settledStatus(hook).Sent)
	require.Zero(t, world.status(hook).Behind)
}

// lastEvents returns the last n events of agreement a, as the feed shows them to xiaomi.
func (w *world) lastEvents(n int) []api.Event {
	w.t.Helper()
	viewer, scope := projections.Viewer{Partner: "xiaomi"}, projections.EventScope{Agreement: "a"}
	page, err := w.engine.cfg.Events.Next(w.t.Context(), viewer, feed.Cursor{}, feed.EventQuery{EventScope: scope}, 100)
	require.NoError(w.t, err)
	events, err := w.readModel.RenderEvents(viewer, page.Events[len(page.Events)-n:], "en")
	require.NoError(w.t, err)
	return events
}

// requireEvent checks that a message contains an event, except for its milestone.
func requireEvent(t *testing.T, event api.Event, message receivedMessage) {
	t.Helper()
	require.Equal(t, event.ID, message.ID)
	require.Equal(t, event.Type, message.Type)
	require.Contains(t, message.Header.Get("Webhook-Signature"), "v1,")
	var body struct {
		Timestamp time.Time
		Data      map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(message.Raw), &body))
	require.Equal(t, event.RecordedAt, body.Timestamp)
	want, err := json.Marshal(event)
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(want, &fields))
	delete(fields, "milestone")
	require.Subset(t, body.Data, fields)
}

func TestFilters(t *testing.T) {
	world := newWorld(t)
	world.agree("b")
	started, ofB, own, shared := newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)
	world.hookOf(nokia, "started", started.URL, func(settings *domain.WebhookSettings) { settings.Events = []string{"milestone.started"} })
	world.hookOf(nokia, "of-b", ofB.URL, func(settings *domain.WebhookSettings) { settings.Agreements = []domain.AgreementID{"b"} })
	world.hookOf(nokia, "own", own.URL, func(settings *domain.WebhookSettings) { settings.IncludePrivate = true })
	world.hook("shared", shared.URL)
	world.plan("m1")
	world.do(nokia, domain.MoveForecast{MilestoneRef: ref("m1"), On: 20180410, Reason: "optics", Private: true})
	world.do(nokia, domain.StartMilestone{MilestoneRef: ref("m1")})
	in := domain.MilestoneRef{Agreement: "b", Project: "p", Milestone: "mb"}
	world.do(nokia, domain.PlanMilestone{MilestoneRef: in, Plan: domain.Plan{Title: "T", Owner: "nokia", DueOn: 20180330}})
	require.Equal(t, "milestone.started", started.next(t).Type)
	require.Equal(t, "mb", ofB.next(t).Milestone)
	types := func(receiver *testReceiver, n int) (list []string) {
		for range n {
			list = append(list, receiver.next(t).Type)
		}
		return list
	}
	require.ElementsMatch(t, []string{"milestone.planned", "milestone.forecast_moved", "milestone.started", "milestone.planned"}, types(own, 4))
	require.ElementsMatch(t, []string{"milestone.planned", "milestone.started", "milestone.planned"}, types(shared, 3))
	world.expectNothing(started, ofB, own, shared)
}

// An edit of the filter counts from the time of the edit. Removing a webhook erases its state and its attempts.
func TestEditedAndRemovedWebhooks(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	world.agree("b")
	hook := world.hook("ops", receiver.URL, func(settings *domain.WebhookSettings) { settings.Agreements = []domain.AgreementID{"b"} })
	world.settle() // the lane has seen the filter

	// The webhook does not ask for the first milestone, and asks for the second one.
	world.plan("unseen")
	world.do(xiaomi, domain.EditWebhook{WebhookRef: hook, Agreements: &[]domain.AgreementID{"a", "b"}})
	require.Zero(t, world.settledStatus(hook).Behind)
	world.plan("seen")
	require.Equal(t, "seen", receiver.next(t).Milestone)
	world.attempts(hook, 1)

	world.do(xiaomi, domain.RemoveWebhook{WebhookRef: hook})
	world.settle()
	entries, err := world.log.Scan(t.Context(), projections.DirectoryOf("xiaomi"), "webhook-")
	require.NoError(t, err)
	require.Empty(t, entries)
	require.Empty(t, world.engine.Lanes())
}

// An agreement that an edit adds to the filter is sent from the time of the edit, even if the lane is busy at that
// time.
func TestAddedAgreementStartsAtTheEdit(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	world, receiver := newWorld(t), newReceiver(t, func(http.ResponseWriter, receivedMessage) {
		entered <- struct{}{}
		<-release
	})
	world.agree("b")
	in := func(id string) domain.PlanMilestone {
		return domain.PlanMilestone{
			MilestoneRef: domain.MilestoneRef{Agreement: "b", Project: "p", Milestone: domain.MilestoneID(id)}, Plan: domain.Plan{Title: "T", Owner: "nokia", DueOn: 20180330},
		}
	}
	world.hook("ops", receiver.URL, func(settings *domain.WebhookSettings) { settings.Agreements = []domain.AgreementID{"a"} })
	world.plan("m1")
	<-entered
	world.do(nokia, in("before"))
	world.advance(time.Second)
	world.do(xiaomi, domain.EditWebhook{WebhookRef: domain.WebhookRef{Partner: "xiaomi", Webhook: "ops"}, Agreements: &[]domain.AgreementID{"a", "b"}})
	world.advance(time.Second)
	world.do(nokia, in("after"))
	close(release)
	require.Equal(t, []string{"m1", "after"}, receiver.milestones(t, 2))
	world.expectNothing(receiver)
}

func TestStatusIsStored(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	hook := world.hook("ops", receiver.URL)
	world.plan("m1")
	receiver.next(t)
	world.attempts(hook, 1)
	lanes := world.engine.Lanes()
	require.Len(t, lanes, 1)
	require.Equal(t, hook, lanes[0].Ref)
	require.EqualValues(t, 1, lanes[0].Sent)
	status, err := ReadStatus(context.Background(), world.log, world.engine.cfg.Events, world.webhook(hook))
	require.NoError(t, err)
	require.EqualValues(t, 1, status.Sent)
}

func TestAttemptHistoryKeepsTheLastAttempts(t *testing.T) {
	world, receiver := newWorld(t), newReceiver(t, nil)
	hook := world.hook("ops", receiver.URL)
	for i := range 60 {
		world.plan(fmt.Sprint("m", i))
		receiver.next(t)
	}
	require.EqualValues(t, 60, world.settledStatus(hook).Sent)
	attempts := world.attempts(hook, AttemptHistorySize)
	require.Len(t, attempts, AttemptHistorySize)
	require.Equal(t, 11, attempts[0].Sequence)
	require.Equal(t, 60, attempts[len(attempts)-1].Sequence)
}
