package projections_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
	eventfeed "tandem/projections/feed"
)

// laneQuery is the query of a webhook lane that subscribes to all events.
var laneQuery = eventfeed.EventQuery{EventScope: projections.EventScope{Former: true}, Resume: true}

// renderAll reads all events of a partner from a cursor on, as a lane does. It returns them as JSON lines.
func renderAll(t require.TestingT, model *projections.ReadModel, partner domain.PartnerID, cursor *eventfeed.Cursor, private bool) (lines []string) {
	for {
		page, err := eventfeed.NewReader(model).Next(context.Background(), viewerOf(partner), *cursor, laneQuery, 7)
		require.NoError(t, err)
		for _, agreement := range page.Lost {
			lines = append(lines, "lost "+string(agreement))
		}
		*cursor = page.Cursor
		if len(page.Events) == 0 {
			return lines
		}
		for _, visible := range page.Events {
			lines = append(lines, renderJSON(t, model, partner, visible, private))
		}
	}
}

func renderJSON(t require.TestingT, model *projections.ReadModel, partner domain.PartnerID, visible projections.VisibleEvent, private bool) string {
	rendered, err := model.RenderEvent(context.Background(), partner, visible, private, "en")
	require.NoError(t, err)
	rendered.Payload = nil
	b, err := json.Marshal(rendered)
	require.NoError(t, err)
	return string(b)
}

// However far a lane is behind, the state that it renders with an event is the one after the event.
func TestRenderedStateIsTheSameLiveAndLater(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newFixture(t)
		live := start(t, h.config())
		seen, at := map[domain.PartnerID][]string{}, map[domain.PartnerID]*eventfeed.Cursor{}
		for _, s := range append(openingSteps(), drawScript(t, 30)...) {
			if _, err := h.try(s.who, s.command); err != nil {
				continue
			}
			live.caughtUp(t)
			for _, partner := range partnerIDs() {
				if at[partner] == nil {
					at[partner] = new(eventfeed.Cursor)
				}
				seen[partner] = append(seen[partner], withoutNames(renderAll(t, live.ReadModel, partner, at[partner], true))...)
			}
		}
		later := start(t, h.config())
		for _, partner := range partnerIDs() {
			require.Equal(t, seen[partner], withoutNames(renderAll(t, live.ReadModel, partner, new(eventfeed.Cursor), true)), "from memory")
			require.Equal(t, seen[partner], withoutNames(renderAll(t, later.ReadModel, partner, new(eventfeed.Cursor), true)), "from the log")
			require.Zero(t, eventfeed.NewReader(later.ReadModel).Behind(viewerOf(partner), *at[partner], laneQuery))
		}
		require.NoError(t, live.stop())
		require.NoError(t, later.stop())
	})
}

// withoutNames leaves out the names of the partners that the reader can see at present.
func withoutNames(lines []string) []string {
	for n := range lines {
		var rendered map[string]any
		if json.Unmarshal([]byte(lines[n]), &rendered) != nil {
			continue
		}
		delete(rendered, "Names")
		b, _ := json.Marshal(rendered)
		lines[n] = string(b)
	}
	return lines
}

func TestWebhooksRenderEventsLikeTheFeed(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	h.plan("fp4", domain.NewDate(2018, 2, 28))
	h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("fp4"), On: 20180401, Private: true})
	h.do("nokia", domain.StartMilestone{MilestoneRef: milestoneRef("fp4")})
	h.do("nokia", domain.ReportProgress{MilestoneRef: milestoneRef("fp4"), Percent: new(40), Health: new(domain.Amber), Note: new("optics late")})
	model.caughtUp(t)
	feed, _, err := model.agreementEvents(context.Background(), viewerOf("nokia"), agreementID, "", 100)
	require.NoError(t, err)
	page, err := eventfeed.NewReader(model.ReadModel).Next(context.Background(), viewerOf("nokia"), eventfeed.Cursor{}, laneQuery, 100)
	require.NoError(t, err)
	require.Empty(t, page.Lost)
	list := page.Events
	require.Len(t, list, len(feed.Events))
	for n, event := range list {
		rendered, err := model.RenderEvent(context.Background(), "nokia", event, false, "fi")
		require.NoError(t, err)
		require.Equal(t, feed.Events[n], rendered.Event)
		require.Equal(t, feed.Events[n].ID, event.ID())
		require.Equal(t, feed.Events[n].Position, event.Position().String())
		require.Equal(t, feed.Events[n].Milestone == nil, rendered.Milestone == nil)
	}
	last, err := model.RenderEvent(context.Background(), "nokia", list[len(list)-1], false, "fi")
	require.NoError(t, err)
	require.Equal(t, "Nokia", last.Names["nokia"])
	require.Equal(t, "IP routing", last.Project)
	require.NotEqual(t, last.Event.Sentence, last.Sentence)
	require.Equal(t, domain.Amber, *last.Milestone.Health)
	require.Nil(t, last.Milestone.PrivateForecast, "without private data")
	require.EqualValues(t, 3, last.Milestone.Version)
	whole, err := model.RenderEvent(context.Background(), "nokia", list[len(list)-1], true, "fi")
	require.NoError(t, err)
	require.EqualValues(t, 20180401, *whole.Milestone.PrivateForecast)
	planned, err := model.RenderEvent(context.Background(), "nokia", list[len(list)-4], true, "en")
	require.NoError(t, err)
	require.Equal(t, domain.Planned, planned.Milestone.State, "the state after the event")
}

// R16: a shared event does not carry private data of its milestone.
func TestSharedEventsRevealNothingPrivate(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	h.plan("fp4", domain.NewDate(2018, 2, 28))
	h.do("nokia", domain.StartMilestone{MilestoneRef: milestoneRef("fp4")})
	h.do("nokia", domain.ReportProgress{MilestoneRef: milestoneRef("fp4"), Health: new(domain.Red), Note: new("we-are-late"), Private: true})
	h.do("nokia", domain.MoveForecast{MilestoneRef: milestoneRef("fp4"), On: 20380401, Reason: "we-are-late", Private: true})
	h.do("nokia", domain.DeliverMilestone{MilestoneRef: milestoneRef("fp4"), PrivateEvidence: []domain.Evidence{{Title: "we-are-late", URL: "https://nokia.example/we-are-late"}}})
	h.do("nokia", domain.CommentMilestone{MilestoneRef: milestoneRef("fp4"), Text: "here it is"})
	model.caughtUp(t)
	page, err := eventfeed.NewReader(model.ReadModel).Next(context.Background(), viewerOf("nokia"), eventfeed.Cursor{}, laneQuery, 100)
	require.NoError(t, err)
	list := page.Events
	last := list[len(list)-1]
	open, err := model.RenderEvent(context.Background(), "nokia", last, true, "en")
	require.NoError(t, err)
	require.Equal(t, "we-are-late", open.Milestone.PrivateHealthNote)
	require.Len(t, open.Milestone.Acceptance.Evidence, 1)
	rendered, err := model.RenderEvent(context.Background(), "nokia", last, false, "en")
	require.NoError(t, err)
	body, err := json.Marshal(rendered)
	require.NoError(t, err)
	require.NotContains(t, string(body), "we-are-late")
	require.NotContains(t, string(body), "2038")
	require.Nil(t, rendered.Milestone.PrivateHealth)
}

// laneReading is a lane's query of one partner, and its cursor.
type laneReading struct {
	t      *testing.T
	model  *runningModel
	reader *eventfeed.Reader
	viewer projections.Viewer
	query  eventfeed.EventQuery
	cursor eventfeed.Cursor
}

// newLaneReading returns the reading of xiaomi, which sees three milestones planned one after the other, and the time
// of the first of them.
func newLaneReading(t *testing.T) (*laneReading, *fixture, time.Time) {
	h := newFixture(t)
	h.settle()
	h.plan("early", 20180330)
	since := h.clock.Now()
	h.plan("late", 20180330)
	h.plan("later", 20180330)
	model := h.follow(t, h.config())
	reading := &laneReading{t: t, model: model, reader: eventfeed.NewReader(model.ReadModel), viewer: viewerOf("xiaomi"), query: laneQuery}
	reading.query.Since = since
	return reading, h, since
}

// milestones returns the milestones of the events after the cursor.
func (r *laneReading) milestones() (ids []domain.MilestoneID) {
	page, err := r.reader.Next(r.t.Context(), r.viewer, r.cursor, r.query, 10)
	require.NoError(r.t, err)
	events, err := r.model.RenderEvents(r.viewer, page.Events, "en")
	require.NoError(r.t, err)
	for _, event := range events {
		if event.Milestone != nil {
			ids = append(ids, *event.Milestone)
		}
	}
	return ids
}

func (r *laneReading) rewind(position string, since time.Time) error {
	return r.reader.Rewind(r.viewer, &r.cursor, r.query, position, since)
}

func TestAgreementsThatACursorDoesNotNameBeginAtSince(t *testing.T) {
	reading, h, since := newLaneReading(t)
	require.Equal(t, []domain.MilestoneID{"early", "late", "later"}, reading.milestones(), "including that moment")
	reading.query.Since = since.Add(time.Microsecond)
	require.Equal(t, []domain.MilestoneID{"late", "later"}, reading.milestones())
	require.EqualValues(t, 2, reading.reader.Behind(reading.viewer, reading.cursor, reading.query))
	reading.reader.MoveTo(reading.viewer, &reading.cursor, reading.query, h.clock.Now().Add(time.Hour), func(agreement domain.AgreementID) bool {
		return agreement == agreementID
	})
	require.Empty(t, reading.milestones())
	require.Zero(t, reading.reader.Behind(reading.viewer, reading.cursor, reading.query))

	b, err := json.Marshal(reading.cursor)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &reading.cursor))
	require.Empty(t, reading.milestones(), "after the cursor was stored")
}

func TestRewindNeverMovesForward(t *testing.T) {
	reading, h, since := newLaneReading(t)
	all := []domain.MilestoneID{"early", "late", "later"}
	page, err := reading.reader.Next(t.Context(), reading.viewer, reading.cursor, reading.query, 10)
	require.NoError(t, err)
	end := page.Cursor
	reading.cursor = end.Clone()
	require.Empty(t, reading.milestones())
	require.NoError(t, reading.rewind("", since))
	require.Equal(t, all, reading.milestones())
	require.NoError(t, reading.rewind("", h.clock.Now().Add(time.Hour)))
	require.Equal(t, all, reading.milestones())

	reading.cursor = end.Clone()
	require.NoError(t, reading.rewind(page.Events[len(page.Events)-2].Position().String(), time.Time{}))
	require.Equal(t, []domain.MilestoneID{"later"}, reading.milestones())
	require.ErrorIs(t, reading.rewind("nonsense", time.Time{}), projections.ErrPosition)

	reading.query.Until = h.clock.Now()
	require.NoError(t, reading.rewind("", since))
	require.Equal(t, []domain.MilestoneID{"early", "late"}, reading.milestones(), "Until is exclusive")
}

func TestEventAtAPosition(t *testing.T) {
	reading, _, _ := newLaneReading(t)
	feed, _, err := reading.model.agreementEvents(t.Context(), reading.viewer, agreementID, "", 100)
	require.NoError(t, err)
	event, err := reading.reader.EventAt(t.Context(), reading.viewer, feed.Events[3].Position)
	require.NoError(t, err)
	require.Equal(t, feed.Events[3].ID, event.ID())
	for _, position := range []string{"", "nonsense", "1." + agreementID + ".0", "1." + agreementID + ".99", "1.unknown.1"} {
		_, err := reading.reader.EventAt(t.Context(), reading.viewer, position)
		require.ErrorIs(t, err, eventfeed.ErrNotVisible, position)
	}
	_, err = reading.reader.EventAt(t.Context(), reading.viewer, "2."+agreementID+".1")
	require.ErrorIs(t, err, projections.ErrUnreadable, "of an epoch that this node has not reached")
	_, err = reading.reader.EventAt(t.Context(), viewerOf("sony"), feed.Events[3].Position)
	require.ErrorIs(t, err, eventfeed.ErrNotVisible)
}

func TestReadersAndZones(t *testing.T) {
	reading, _, _ := newLaneReading(t)
	require.ElementsMatch(t, []domain.PartnerID{"nokia", "xiaomi"}, reading.model.ReadersOf(agreementID))
	require.Empty(t, reading.model.ReadersOf("unknown"))
	require.Equal(t, "Asia/Shanghai", reading.model.Zone("xiaomi").String())
	require.Equal(t, time.UTC, reading.model.Zone("unknown"))
}

// After a loss is accepted, a lane continues with the events recorded after the last one that it has passed, although
// the number of that event now belongs to another one.
func TestLaneCursorAfterAnAcceptedLoss(t *testing.T) {
	h, cfg := seen(t)
	whole := h.follow(t, h.config())
	cursor := new(eventfeed.Cursor)
	before := renderAll(t, whole.ReadModel, "nokia", cursor, true)
	short := h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 1})
	cfg.Log = short
	halting := h.follow(t, cfg)
	kept := cursor.Clone()
	require.Empty(t, renderAll(t, halting.ReadModel, "nokia", new(eventfeed.Cursor), true), "events before the loss is accepted")
	require.Empty(t, renderAll(t, halting.ReadModel, "nokia", &kept, true))
	require.True(t, kept.Equal(*cursor), "the cursor does not move where history is lost")
	scope := projections.EventScope{Agreement: agreementID}
	_, err := eventfeed.NewReader(halting.ReadModel).Next(t.Context(), viewerOf("nokia"), eventfeed.Cursor{}, eventfeed.EventQuery{EventScope: scope}, 10)
	loss, ok := errors.AsType[*eventlog.LostTailError](err)
	require.True(t, ok)
	require.Equal(t, atAgreement, loss.Partition)

	require.NoError(t, short.AcceptLoss(t.Context(), atAgreement))
	<-halted(halting)
	model := h.follow(t, cfg)
	require.Equal(t, []string{"lost " + agreementID}, renderAll(t, model.ReadModel, "nokia", cursor, true))
	require.Len(t, renderAll(t, model.ReadModel, "nokia", new(eventfeed.Cursor), true), len(before)-1)
}

// A lane sends every event that its partner could see when it happened, also if the partner no longer sees the
// agreement. The feed does not show the agreement then.
func TestLanesReadAgreementsThatTheirPartnerNoLongerSees(t *testing.T) {
	h := newFixture(t)
	for _, s := range openingSteps() {
		h.do(s.who, s.command)
	}
	model := h.follow(t, h.config())
	all := len(renderAll(t, model.ReadModel, "xiaomi", new(eventfeed.Cursor), true))
	parties := []domain.PartnerID{"sony", "nokia"}
	h.do("sony", domain.EditAgreement{AgreementID: "a2", Parties: &parties})
	model.caughtUp(t)
	require.Len(t, renderAll(t, model.ReadModel, "xiaomi", new(eventfeed.Cursor), true), all, "without the event that leaves xiaomi out")
	feed, err := model.partnerEvents(t.Context(), viewerOf("xiaomi"), "", 200)
	require.NoError(t, err)
	require.Less(t, len(feed.Events), all)
}

func TestPreviousValues(t *testing.T) {
	for name, row := range map[string]struct {
		payload domain.Payload
		want    string
	}{
		"fields of a plan": {domain.MilestoneEdited{
			To: domain.Plan{Title: "T", DueOn: 2018_04_30, Clause: "4.2"}, From: domain.Plan{Title: "T", DueOn: 2018_03_30, Description: "<D>"},
		}, `{"due_on":"2018-03-30","description":"<D>","clause":null}`},
		"a state":         {domain.MilestoneCancelled{Reason: "x", From: domain.InProgress}, `{"state":"in_progress"}`},
		"a forecast":      {domain.ForecastMoved{To: domain.Forecast{On: 2018_04_30}, From: 2018_03_30}, `{"on":"2018-03-30"}`},
		"first forecast":  {domain.ForecastMoved{To: domain.Forecast{On: 2018_04_30}}, `{}`},
		"a rejection":     {domain.MilestoneRejected{DeliveredOn: 2018_03_30}, `{"delivered_on":"2018-03-30"}`},
		"nothing changes": {domain.MilestoneDelivered{On: 2018_03_30}, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			previous, err := projections.Previous(row.payload)
			require.NoError(t, err)
			text, err := json.Marshal(previous)
			require.NoError(t, err)
			require.JSONEq(t, row.want, string(text))
		})
	}
}
