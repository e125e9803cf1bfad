package projections_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
	eventfeed "tandem/projections/feed"
)

// laneQuery is what a webhook lane asks for.
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

// However far a lane is behind, it tells of an event what was true then.
func TestWhatIsToldIsTheSameLiveAndLater(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newFixture(t)
		live := start(t, h.config())
		told, at := map[domain.PartnerID][]string{}, map[domain.PartnerID]*eventfeed.Cursor{}
		for _, s := range append(openingSteps(), drawScript(t, 30)...) {
			if _, err := h.try(s.who, s.command); err != nil {
				continue
			}
			live.caughtUp(t)
			for _, partner := range partnerIDs() {
				if at[partner] == nil {
					at[partner] = new(eventfeed.Cursor)
				}
				told[partner] = append(told[partner], titles(renderAll(t, live.ReadModel, partner, at[partner], true))...)
			}
		}
		later := start(t, h.config())
		for _, partner := range partnerIDs() {
			require.Equal(t, told[partner], titles(renderAll(t, live.ReadModel, partner, new(eventfeed.Cursor), true)), "from what is remembered")
			require.Equal(t, told[partner], titles(renderAll(t, later.ReadModel, partner, new(eventfeed.Cursor), true)), "from the log")
			require.Zero(t, eventfeed.NewReader(later.ReadModel).Behind(viewerOf(partner), *at[partner], laneQuery))
		}
		require.NoError(t, live.stop())
		require.NoError(t, later.stop())
	})
}

// titles leaves out what is worded with the names and titles of the present.
func titles(lines []string) []string {
	for n := range lines {
		var told map[string]any
		if json.Unmarshal([]byte(lines[n]), &told) != nil {
			continue
		}
		for _, worded := range []string{"Sentence", "Names", "Project", "Agreement"} {
			delete(told, worded)
		}
		delete(told["Event"].(map[string]any), "sentence")
		b, _ := json.Marshal(told)
		lines[n] = string(b)
	}
	return lines
}

func TestToldLikeTheFeedWithWhatChanged(t *testing.T) {
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
	require.Nil(t, last.Milestone.PrivateForecast, "not told where private events are not")
	require.EqualValues(t, 3, last.Milestone.Version)
	whole, err := model.RenderEvent(context.Background(), "nokia", list[len(list)-1], true, "fi")
	require.NoError(t, err)
	require.EqualValues(t, 20180401, *whole.Milestone.PrivateForecast)
	planned, err := model.RenderEvent(context.Background(), "nokia", list[len(list)-4], true, "en")
	require.NoError(t, err)
	require.Equal(t, domain.Planned, planned.Milestone.State, "as it was then")
}

// R16: nothing that a partner keeps for itself leaves the house with a shared event, whatever kind of private
// word it is.
func TestPrivateWordsAreNotToldWithSharedEvents(t *testing.T) {
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

func TestProgressBeginsRewindsAndSkips(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.plan("early", 20180330)
	since := h.clock.Now()
	h.plan("late", 20180330)
	h.plan("later", 20180330)
	model := h.follow(t, h.config())
	reader, viewer, query := eventfeed.NewReader(model.ReadModel), viewerOf("xiaomi"), laneQuery
	query.Since = since
	cursor := new(eventfeed.Cursor)
	subjects := func() (ids []domain.MilestoneID) {
		page, err := reader.Next(context.Background(), viewer, *cursor, query, 10)
		require.NoError(t, err)
		for _, event := range page.Events {
			rendered, err := model.RenderEvent(context.Background(), "xiaomi", event, false, "en")
			require.NoError(t, err)
			if rendered.Event.Milestone != nil {
				ids = append(ids, *rendered.Event.Milestone)
			}
		}
		return ids
	}
	require.Equal(t, []domain.MilestoneID{"early", "late", "later"}, subjects(), "that very moment counts")
	query.Since = since.Add(time.Microsecond)
	require.Equal(t, []domain.MilestoneID{"late", "later"}, subjects())
	require.EqualValues(t, 2, reader.Behind(viewer, *cursor, query))
	reader.MoveTo(viewer, cursor, query, h.clock.Now().Add(time.Hour), func(agreement domain.AgreementID) bool { return agreement == agreementID })
	require.Empty(t, subjects())

	b, err := json.Marshal(cursor)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, cursor))
	require.Empty(t, subjects(), "as it was stored")
	back := cursor.Clone()
	require.NoError(t, reader.Rewind(viewer, cursor, query, "", since))
	require.Equal(t, []domain.MilestoneID{"early", "late", "later"}, subjects())
	require.NoError(t, reader.Rewind(viewer, cursor, query, "", h.clock.Now().Add(time.Hour)))
	require.Len(t, subjects(), 3, "never forward")

	feed, _, err := model.agreementEvents(context.Background(), viewerOf("xiaomi"), agreementID, "", 100)
	require.NoError(t, err)
	cursor = &back
	require.NoError(t, reader.Rewind(viewer, cursor, query, feed.Events[len(feed.Events)-2].Position, time.Time{}))
	require.Equal(t, []domain.MilestoneID{"later"}, subjects())
	require.ErrorIs(t, reader.Rewind(viewer, cursor, query, "nonsense", time.Time{}), projections.ErrPosition)

	query.Until = h.clock.Now()
	require.NoError(t, reader.Rewind(viewer, cursor, query, "", since))
	require.Equal(t, []domain.MilestoneID{"early", "late"}, subjects(), "what is recorded then waits")

	event, err := reader.EventAt(context.Background(), viewer, feed.Events[3].Position)
	require.NoError(t, err)
	require.Equal(t, feed.Events[3].ID, event.ID())
	_, err = reader.EventAt(context.Background(), viewerOf("sony"), feed.Events[3].Position)
	require.ErrorIs(t, err, eventfeed.ErrNotVisible)
	require.ElementsMatch(t, []domain.PartnerID{"nokia", "xiaomi"}, model.ReadersOf(agreementID))
	require.Empty(t, model.ReadersOf("unknown"))
	require.Equal(t, "Asia/Shanghai", model.Zone("xiaomi").String())
	require.Equal(t, time.UTC, model.Zone("unknown"))
}

// After a loss was accepted, what is new is told although it stands where something else stood.
func TestProgressAfterALoss(t *testing.T) {
	h, cfg := seen(t)
	whole := h.follow(t, h.config())
	cursor := new(eventfeed.Cursor)
	before := renderAll(t, whole.ReadModel, "nokia", cursor, true)
	cfg.Log = h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 1})
	halting := h.follow(t, cfg)
	require.Empty(t, renderAll(t, halting.ReadModel, "nokia", new(eventfeed.Cursor), true), "nothing is told while it is open")
	require.NoError(t, cfg.Log.AcceptLoss(t.Context(), atAgreement))
	<-halted(halting)
	model := h.follow(t, cfg)
	behind := cursor.Clone()
	require.Equal(t, []string{"lost " + agreementID}, renderAll(t, model.ReadModel, "nokia", &behind, true))
	require.Len(t, renderAll(t, model.ReadModel, "nokia", new(eventfeed.Cursor), true), len(before)-1)
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
