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
)

func lookout(p domain.PartnerID) projections.Outlook {
	return projections.Outlook{Partner: p, Limit: 7}
}

// deliveries reads all that an image tells a partner from a progress on, as JSON lines.
func deliveries(t require.TestingT, i *projections.Image, o projections.Outlook, g *projections.Progress, private bool) (lines []string) {
	for {
		list, lost, err := i.Upcoming(context.Background(), o, g)
		require.NoError(t, err)
		for _, a := range lost {
			lines = append(lines, "lost "+string(a))
		}
		if len(list) == 0 {
			return lines
		}
		for _, x := range list {
			lines = append(lines, tell(t, i, o.Partner, x, private))
			g.Pass(x)
		}
	}
}

func tell(t require.TestingT, i *projections.Image, p domain.PartnerID, x projections.Occurrence, private bool) string {
	told, err := i.Tell(context.Background(), p, x, private, "en")
	require.NoError(t, err)
	told.Payload = nil
	b, err := json.Marshal(told)
	require.NoError(t, err)
	return string(b)
}

// However far a lane is behind, it tells of an event what was true then.
func TestWhatIsToldIsTheSameLiveAndLater(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHouse(t)
		live := start(t, h.config())
		told, at := map[domain.PartnerID][]string{}, map[domain.PartnerID]*projections.Progress{}
		for _, s := range append(opening(), drawScript(t, 30)...) {
			if _, err := h.try(s.who, s.command); err != nil {
				continue
			}
			live.caughtUp(t)
			for _, p := range cast() {
				if at[p] == nil {
					at[p] = new(projections.Progress)
				}
				told[p] = append(told[p], titles(deliveries(t, live.Image, lookout(p), at[p], true))...)
			}
		}
		later := start(t, h.config())
		for _, p := range cast() {
			require.Equal(t, told[p], titles(deliveries(t, live.Image, lookout(p), new(projections.Progress), true)), "from what is remembered")
			require.Equal(t, told[p], titles(deliveries(t, later.Image, lookout(p), new(projections.Progress), true)), "from the log")
			require.Zero(t, later.Behind(lookout(p), at[p]))
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
	h := newHouse(t)
	h.settle()
	i := h.follow(t, h.config())
	h.plan("fp4", domain.NewDate(2018, 2, 28))
	h.do("nokia", domain.MoveForecast{Ref: ref("fp4"), On: 20180401, Private: true})
	h.do("nokia", domain.StartMilestone{Ref: ref("fp4")})
	h.do("nokia", domain.ReportProgress{Ref: ref("fp4"), Percent: new(40), Health: new(domain.Amber), Note: new("optics late")})
	i.caughtUp(t)
	feed, _, err := i.AgreementEvents(context.Background(), partner("nokia"), agreementID, "", 100)
	require.NoError(t, err)
	list, lost, err := i.Upcoming(context.Background(), projections.Outlook{Partner: "nokia", Limit: 100}, new(projections.Progress))
	require.NoError(t, err)
	require.Empty(t, lost)
	require.Len(t, list, len(feed.Events))
	for n, x := range list {
		told, err := i.Tell(context.Background(), "nokia", x, false, "fi")
		require.NoError(t, err)
		require.Equal(t, feed.Events[n], told.Event)
		require.Equal(t, feed.Events[n].ID, x.ID)
		require.Equal(t, feed.Events[n].Position, x.Position())
		require.Equal(t, feed.Events[n].Milestone == nil, told.Milestone == nil)
	}
	last, err := i.Tell(context.Background(), "nokia", list[len(list)-1], false, "fi")
	require.NoError(t, err)
	require.Equal(t, "Nokia", last.Names["nokia"])
	require.Equal(t, "IP routing", last.Project)
	require.NotEqual(t, last.Event.Sentence, last.Sentence)
	require.Equal(t, domain.Amber, *last.Milestone.Health)
	require.Nil(t, last.Milestone.PrivateForecast, "not told where private events are not")
	require.EqualValues(t, 3, last.Milestone.Version)
	whole, err := i.Tell(context.Background(), "nokia", list[len(list)-1], true, "fi")
	require.NoError(t, err)
	require.EqualValues(t, 20180401, *whole.Milestone.PrivateForecast)
	planned, err := i.Tell(context.Background(), "nokia", list[len(list)-4], true, "en")
	require.NoError(t, err)
	require.Equal(t, domain.Planned, planned.Milestone.State, "as it was then")
}

// R16: nothing that a partner keeps for itself leaves the house with a shared event, whatever kind of private
// word it is.
func TestPrivateWordsAreNotToldWithSharedEvents(t *testing.T) {
	h := newHouse(t)
	h.settle()
	i := h.follow(t, h.config())
	h.plan("fp4", domain.NewDate(2018, 2, 28))
	h.do("nokia", domain.StartMilestone{Ref: ref("fp4")})
	h.do("nokia", domain.ReportProgress{Ref: ref("fp4"), Health: new(domain.Red), Note: new("we-are-late"), Private: true})
	h.do("nokia", domain.MoveForecast{Ref: ref("fp4"), On: 20380401, Reason: "we-are-late", Private: true})
	h.do("nokia", domain.DeliverMilestone{Ref: ref("fp4"), Kept: []domain.Evidence{{Title: "we-are-late", URL: "https://nokia.example/we-are-late"}}})
	h.do("nokia", domain.CommentMilestone{Ref: ref("fp4"), Text: "here it is"})
	i.caughtUp(t)
	list, _, err := i.Upcoming(context.Background(), projections.Outlook{Partner: "nokia", Limit: 100}, new(projections.Progress))
	require.NoError(t, err)
	last := list[len(list)-1]
	open, err := i.Tell(context.Background(), "nokia", last, true, "en")
	require.NoError(t, err)
	require.Equal(t, "we-are-late", open.Milestone.PrivateHealthNote)
	require.Len(t, open.Milestone.Acceptance.Evidence, 1)
	told, err := i.Tell(context.Background(), "nokia", last, false, "en")
	require.NoError(t, err)
	body, err := json.Marshal(told)
	require.NoError(t, err)
	require.NotContains(t, string(body), "we-are-late")
	require.NotContains(t, string(body), "2038")
	require.Nil(t, told.Milestone.PrivateHealth)
}

func TestProgressBeginsRewindsAndSkips(t *testing.T) {
	h := newHouse(t)
	h.settle()
	h.plan("early", 20180330)
	since := h.clock.Now()
	h.plan("late", 20180330)
	h.plan("later", 20180330)
	i := h.follow(t, h.config())
	o := projections.Outlook{Partner: "xiaomi", Since: since, Limit: 10}
	g := new(projections.Progress)
	subjects := func() (ids []domain.MilestoneID) {
		list, _, err := i.Upcoming(context.Background(), o, g)
		require.NoError(t, err)
		for _, x := range list {
			told, err := i.Tell(context.Background(), "xiaomi", x, false, "en")
			require.NoError(t, err)
			if told.Event.Milestone != nil {
				ids = append(ids, *told.Event.Milestone)
			}
		}
		return ids
	}
	require.Equal(t, []domain.MilestoneID{"early", "late", "later"}, subjects(), "that very moment counts")
	o.Since = since.Add(time.Microsecond)
	require.Equal(t, []domain.MilestoneID{"late", "later"}, subjects())
	require.EqualValues(t, 2, i.Behind(o, g))
	i.Skip(o, g, h.clock.Now().Add(time.Hour), func(a domain.AgreementID) bool { return a == agreementID })
	require.Empty(t, subjects())

	b, err := json.Marshal(g)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, g))
	require.Empty(t, subjects(), "as it was stored")
	back := g.Clone()
	require.NoError(t, i.Rewind(o, g, "", since))
	require.Equal(t, []domain.MilestoneID{"early", "late", "later"}, subjects())
	require.NoError(t, i.Rewind(o, g, "", h.clock.Now().Add(time.Hour)))
	require.Len(t, subjects(), 3, "never forward")

	feed, _, err := i.AgreementEvents(context.Background(), partner("xiaomi"), agreementID, "", 100)
	require.NoError(t, err)
	g = &back
	require.NoError(t, i.Rewind(o, g, feed.Events[len(feed.Events)-2].Position, time.Time{}))
	require.Equal(t, []domain.MilestoneID{"later"}, subjects())
	require.ErrorIs(t, i.Rewind(o, g, "nonsense", time.Time{}), projections.ErrPosition)

	o.Until = h.clock.Now()
	require.NoError(t, i.Rewind(o, g, "", since))
	require.Equal(t, []domain.MilestoneID{"early", "late"}, subjects(), "what is recorded then waits")

	x, found, err := i.Occurrence(context.Background(), "xiaomi", feed.Events[3].Position)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, feed.Events[3].ID, x.ID)
	_, found, err = i.Occurrence(context.Background(), "sony", feed.Events[3].Position)
	require.NoError(t, err)
	require.False(t, found)
	require.ElementsMatch(t, []domain.PartnerID{"nokia", "xiaomi"}, i.ReadersOf(agreementID))
	require.Empty(t, i.ReadersOf("unknown"))
	require.Equal(t, "Asia/Shanghai", i.Zone("xiaomi").String())
	require.Equal(t, time.UTC, i.Zone("unknown"))
}

// After a loss was accepted, what is new is told although it stands where something else stood.
func TestProgressAfterALoss(t *testing.T) {
	h, cfg := seen(t)
	whole := h.follow(t, h.config())
	g := new(projections.Progress)
	before := deliveries(t, whole.Image, lookout("nokia"), g, true)
	cfg.Log = h.truncated(t, map[eventlog.Partition]uint64{atAgreement: 1})
	halting := h.follow(t, cfg)
	require.Empty(t, deliveries(t, halting.Image, lookout("nokia"), new(projections.Progress), true), "nothing is told while it is open")
	require.NoError(t, cfg.Log.AcceptLoss(t.Context(), atAgreement))
	<-halted(halting)
	i := h.follow(t, cfg)
	behind := g.Clone()
	require.Equal(t, []string{"lost " + agreementID}, deliveries(t, i.Image, lookout("nokia"), &behind, true))
	require.Len(t, deliveries(t, i.Image, lookout("nokia"), new(projections.Progress), true), len(before)-1)
}

func TestPreviousValues(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"milestone.edited", `{"to":{"due_on":"b","title":"t","new":1},"from":{"due_on":"a","title":"t","gone":2}}`, `{"due_on":"a","gone":2,"new":null}`},
		{"milestone.cancelled", `{"reason":"x","from":"in_progress"}`, `{"state":"in_progress"}`},
		{"milestone.forecast_moved", `{"to":{"on":"b"},"from":"a"}`, `{"on":"a"}`},
		{"milestone.agreed", `{"to":{"due_on":"b"},"from":{"due_on":"a"},"baseline_from":"a"}`, `{"baseline_on":"a","due_on":"a"}`},
		{"milestone.rejected", `{"delivered_on":"a"}`, `{"delivered_on":"a"}`},
		{"milestone.delivered", `{"on":"a"}`, `{}`},
		{"other", `{"from":"a"}`, `{"from":"a"}`},
		{"other", `nonsense`, `{}`},
	} {
		b, err := json.Marshal(projections.Previous(c.name, []byte(c.data)))
		require.NoError(t, err)
		require.JSONEq(t, c.want, string(b), c.name)
	}
}
