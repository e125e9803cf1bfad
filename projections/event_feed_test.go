package projections_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/projections"
	eventfeed "tandem/projections/feed"
)

// mixedHistory returns a history in which many events are private to each side, so that positions and places differ.
func mixedHistory(t *testing.T) (*fixture, *runningModel) {
	h := newFixture(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	model := h.follow(t, h.config())
	for n := range 1500 {
		who := domain.PartnerID("nokia")
		if n%7 == 0 {
			who = "xiaomi"
		}
		h.do(who, domain.CommentMilestone{MilestoneRef: milestoneRef("fp4"), Text: fmt.Sprint("comment ", n), Private: n%3 != 0})
	}
	model.caughtUp(t)
	return h, model
}

func TestPagesOfAFeedAddUpToTheWhole(t *testing.T) {
	_, model := mixedHistory(t)
	ctx := context.Background()
	for _, who := range []domain.PartnerID{"nokia", "xiaomi"} {
		viewer := viewerOf(who)
		readers := map[string]func(after string, limit int) api.Events{
			"agreement": func(after string, limit int) api.Events {
				e, ok, err := model.agreementEvents(ctx, viewer, agreementID, after, limit)
				require.True(t, ok)
				require.NoError(t, err)
				return e
			},
			"history": func(after string, limit int) api.Events {
				e, ok, err := model.history(ctx, viewer, milestoneRef("fp4"), after, limit)
				require.True(t, ok)
				require.NoError(t, err)
				return e
			},
			"partner": func(after string, limit int) api.Events {
				e, err := model.partnerEvents(ctx, viewer, after, limit)
				require.NoError(t, err)
				return e
			},
		}
		for name, read := range readers {
			whole := read("", 10_000)
			require.NotEmpty(t, whole.Events)
			var pages []api.Event
			for after := ""; ; {
				page := read(after, 97)
				if len(page.Events) == 0 {
					require.Equal(t, after, *page.NextCursor, "at the end the cursor stays")
					break
				}
				pages = append(pages, page.Events...)
				after = *page.NextCursor
			}
			require.Equal(t, whole.Events, pages, "%s of %s", name, who)
			last := whole.Events[600].Position
			require.Equal(t, whole.Events[601:], read(last, 10_000).Events[:len(whole.Events)-601], "an event's position goes on after it: %s", name)
		}
	}
}

func TestPositionsAreDenseForTheirReader(t *testing.T) {
	_, model := mixedHistory(t)
	events, _, err := model.agreementEvents(context.Background(), viewerOf("xiaomi"), agreementID, "", 10_000)
	require.NoError(t, err)
	seen := map[string]bool{}
	for n, event := range events.Events {
		require.Equal(t, fmt.Sprintf("1.%s.%d", agreementID, n+1), event.Position)
		require.NotEqual(t, domain.PrivateTo("nokia"), event.Audience)
		require.False(t, seen[event.ID])
		seen[event.ID] = true
	}
	require.Equal(t, events.Events[len(events.Events)-1].Position, model.Position(viewerOf("xiaomi"), agreementID))
}

func TestAFeedOfTheInvisibleIsAbsent(t *testing.T) {
	_, model := mixedHistory(t)
	ctx := context.Background()
	for _, viewer := range []projections.Viewer{viewerOf("sony"), {Operator: true}, {Partner: "nokia", Scope: "another"}} {
		_, ok, err := model.agreementEvents(ctx, viewer, agreementID, "no position", 10)
		require.NoError(t, err, "absent comes before the bad position")
		require.False(t, ok)
		_, ok, _ = model.history(ctx, viewer, milestoneRef("fp4"), "", 10)
		require.False(t, ok)
		feed, err := model.partnerEvents(ctx, viewer, "", 10)
		require.NoError(t, err)
		require.Empty(t, feed.Events)
	}
	_, ok, err := model.agreementEvents(ctx, viewerOf("nokia"), agreementID, "no position", 10)
	require.True(t, ok)
	require.ErrorIs(t, err, projections.ErrPosition)
	_, err = model.partnerEvents(ctx, viewerOf("nokia"), "1.x", 10)
	require.ErrorIs(t, err, projections.ErrPosition)
}

func TestTheMergedFeedIsInTheOrderOfRecording(t *testing.T) {
	h := newFixture(t)
	for _, s := range openingSteps() {
		h.do(s.who, s.command)
	}
	model := h.follow(t, h.config())
	feed, err := model.partnerEvents(context.Background(), viewerOf("xiaomi"), "", 200)
	require.NoError(t, err)
	agreements := map[domain.AgreementID]bool{}
	for n, event := range feed.Events {
		agreements[event.Agreement] = true
		if n > 0 {
			require.False(t, event.RecordedAt.Before(feed.Events[n-1].RecordedAt))
		}
	}
	require.Len(t, agreements, 3)
	require.True(t, strings.HasPrefix(*feed.NextCursor, "s1."))

	first := 7
	for first > 0 && feed.Events[first-1].RecordedAt.Equal(feed.Events[7].RecordedAt) {
		first--
	}
	since := func(at time.Time) (ids []string) {
		page, err := eventfeed.NewReader(model.ReadModel).Next(context.Background(), viewerOf("xiaomi"), eventfeed.Cursor{}, eventfeed.EventQuery{Since: at}, 200)
		require.NoError(t, err)
		for _, event := range page.Events {
			ids = append(ids, event.ID())
		}
		return ids
	}
	var ids []string
	for _, event := range feed.Events[first:] {
		ids = append(ids, event.ID)
	}
	require.Equal(t, ids, since(feed.Events[7].RecordedAt))
	require.Empty(t, since(h.clock.Now().Add(time.Hour)))
}

// A clock that goes back does not change the order within an agreement, so a cursor never moves back.
func TestTheOrderWithinAnAgreementIsThatOfTheLog(t *testing.T) {
	h := newFixture(t)
	for _, s := range openingSteps() {
		h.do(s.who, s.command)
	}
	comment := func(agreement domain.AgreementID) {
		h.do("nokia", domain.CommentMilestone{MilestoneRef: milestoneOf(agreement, "m0"), Text: "hm"})
	}
	for range 3 {
		comment("a0")
		h.clock.advance(-time.Hour)
		comment("a1")
	}
	model := h.follow(t, h.config())
	cursor, numbers := eventfeed.Cursor{}, map[domain.AgreementID]uint64{}
	for {
		page, err := eventfeed.NewReader(model.ReadModel).Next(t.Context(), viewerOf("xiaomi"), cursor, eventfeed.EventQuery{}, 3)
		require.NoError(t, err)
		for _, event := range page.Events {
			numbers[event.Agreement()]++
			require.Equal(t, numbers[event.Agreement()], event.Position().Count, "no gaps")
		}
		if cursor = page.Cursor; len(page.Events) == 0 {
			break
		}
	}
	require.Len(t, numbers, 3)
}

// R17: a party that joins a draft sees the events from then on; a party that is left out sees none.
func TestPartiesOfADraftComeAndGo(t *testing.T) {
	h := newFixture(t)
	for _, s := range openingSteps() {
		h.do(s.who, s.command)
	}
	model := h.follow(t, h.config())
	three, two := []domain.PartnerID{"sony", "xiaomi", "nokia"}, []domain.PartnerID{"sony", "nokia"}
	h.do("sony", domain.EditAgreement{AgreementID: "a2", Parties: &three})
	model.caughtUp(t)
	ctx := context.Background()
	joined, ok, err := model.agreementEvents(ctx, viewerOf("nokia"), "a2", "", 10)
	require.NoError(t, err)
	require.True(t, ok)
	require.Len(t, joined.Events, 1)
	require.Equal(t, "1.a2.1", joined.Events[0].Position)
	page := model.page(t, viewerOf("xiaomi"))
	h.do("sony", domain.EditAgreement{AgreementID: "a2", Parties: &two})
	model.caughtUp(t)
	_, ok, err = model.agreementEvents(ctx, viewerOf("xiaomi"), "a2", "", 10)
	require.NoError(t, err)
	require.False(t, ok)
	require.NotSame(t, page, model.page(t, viewerOf("xiaomi")))
	require.NoError(t, model.View(viewerOf("xiaomi"), func(view *projections.View) error {
		require.False(t, view.AgreementVisible("a2"))
		require.Len(t, view.Agreements(), 2)
		return nil
	}))
}
