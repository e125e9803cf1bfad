package projections_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
	"tandem/projections/feed"
)

// Lanes, the feed, event streams and histories return the same events in the same order, whenever they read and however
// many events they ask for, through joins, private events and an accepted loss.
func TestAllReadersReturnTheSameEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newFixture(t)
		lanes := map[domain.PartnerID]*laneReader{}
		for _, partner := range partnerIDs() {
			lanes[partner] = &laneReader{partner: partner}
		}
		before := start(t, h.config())
		script := drawScript(t, 40)
		half := rapid.IntRange(0, len(script)).Draw(t, "before the loss")
		h.play(t, before, script[:half], lanes)
		for _, lane := range lanes {
			lane.read(t, before)
			requireSameEvents(t, before, lane.partner, lane.events)
		}
		require.NoError(t, before.stop())

		h, lost := h.afterLoss(t)
		after := start(t, h.config())
		lossAt := h.clock.Now()
		h.play(t, after, script[half:], lanes)
		for _, lane := range lanes {
			lane.read(t, after)
			requireNoRepeats(t, lane.events)
			kept := slices.DeleteFunc(slices.Clone(lane.events), func(event projections.VisibleEvent) bool {
				return event.Position().Partition() == lost && !event.RecordedAt().After(lossAt)
			})
			for _, event := range readAll(t, after, lane.partner, projections.EventScope{}) {
				if event.Position().Partition() == lost && !event.RecordedAt().After(lossAt) {
					kept = append(kept, event) // was read in the ended epoch
				}
			}
			slices.SortStableFunc(kept, func(one, other projections.VisibleEvent) int { return one.RecordedAt().Compare(other.RecordedAt()) })
			requireSameEvents(t, after, lane.partner, kept)
		}
		require.NoError(t, after.stop())
	})
}

// laneReader reads as a webhook lane does: it stores its cursor as JSON between two pages.
type laneReader struct {
	partner domain.PartnerID
	stored  []byte
	events  []projections.VisibleEvent
}

func (l *laneReader) read(t *rapid.T, model *runningModel) {
	for more := true; more; {
		var cursor feed.Cursor
		if l.stored != nil {
			require.NoError(t, json.Unmarshal(l.stored, &cursor))
		}
		limit := rapid.IntRange(1, 5).Draw(t, "lane limit")
		page, err := feed.NewReader(model.ReadModel).Next(context.Background(), viewerOf(l.partner), cursor, laneQuery, limit)
		require.NoError(t, err)
		l.events = append(l.events, page.Events...)
		l.stored, err = json.Marshal(page.Cursor)
		require.NoError(t, err)
		more = len(page.Events) == limit
	}
}

// play decides the steps. Lanes read at random times meanwhile.
func (h *fixture) play(t *rapid.T, model *runningModel, steps []step, lanes map[domain.PartnerID]*laneReader) {
	for _, s := range steps {
		if _, err := h.try(s.who, s.command); err != nil || !rapid.Bool().Draw(t, "read") {
			continue
		}
		model.caughtUp(t)
		who := rapid.SampledFrom(partnerIDs()).Draw(t, "lane")
		lanes[who].read(t, model)
	}
	model.caughtUp(t)
}

// requireSameEvents compares the events that a lane has read with those of all other readers.
func requireSameEvents(t *rapid.T, model *runningModel, partner domain.PartnerID, lane []projections.VisibleEvent) {
	all := readAll(t, model, partner, projections.EventScope{})
	var agreements []domain.AgreementID
	for _, agreement := range viewed(model, viewerOf(partner), (*projections.View).Agreements) {
		agreements = append(agreements, agreement.ID)
	}
	lane = slices.DeleteFunc(slices.Clone(lane), func(event projections.VisibleEvent) bool {
		return !slices.Contains(agreements, event.Agreement()) // the partner does not see it any more
	})
	require.Equal(t, positionsOf(all), positionsOf(lane), "the lane of %s", partner)
	for _, agreement := range agreements {
		stream := readAll(t, model, partner, projections.EventScope{Agreement: agreement})
		require.Equal(t, positionsOf(eventsOf(all, agreement)), positionsOf(stream), "%s streams %s", partner, agreement)
		rendered, err := model.RenderEvents(viewerOf(partner), stream, "en")
		require.NoError(t, err)
		histories := map[domain.MilestoneRef][]string{}
		for _, event := range rendered {
			if event.Milestone != nil {
				at := domain.MilestoneRef{Agreement: agreement, Project: *event.Project, Milestone: *event.Milestone}
				histories[at] = append(histories[at], event.ID+" "+event.Position)
			}
		}
		for at, want := range histories {
			if viewed(model, viewerOf(partner), func(view *projections.View) bool { return view.MilestoneVisible(at) }) {
				require.Equal(t, want, positionsOf(readAll(t, model, partner, projections.EventScope{Milestone: at})), "the history of %v for %s", at, partner)
			}
		}
	}
}

// requireNoRepeats checks that a lane has read no event twice, not even where positions begin again.
func requireNoRepeats(t *rapid.T, events []projections.VisibleEvent) {
	ids := map[string]bool{}
	for _, event := range events {
		require.False(t, ids[event.ID()], "%s is read twice", event.Position())
		ids[event.ID()] = true
	}
}

func eventsOf(events []projections.VisibleEvent, agreement domain.AgreementID) (some []projections.VisibleEvent) {
	for _, event := range events {
		if event.Agreement() == agreement {
			some = append(some, event)
		}
	}
	return some
}

func positionsOf(events []projections.VisibleEvent) (lines []string) {
	for _, event := range events {
		lines = append(lines, event.ID()+" "+event.Position().String())
	}
	return lines
}

// readAll reads a feed page by page, as a client does that only has positions. A reader of one agreement continues
// after the position of the last event, as an event stream does.
func readAll(t *rapid.T, model *runningModel, partner domain.PartnerID, scope projections.EventScope) (events []projections.VisibleEvent) {
	position := ""
	for {
		cursor, err := feed.ParseCursor(position)
		require.NoError(t, err)
		limit := rapid.IntRange(1, 30).Draw(t, "limit")
		page, err := feed.NewReader(model.ReadModel).Next(context.Background(), viewerOf(partner), cursor, feed.EventQuery{EventScope: scope}, limit)
		require.NoError(t, err)
		if events = append(events, page.Events...); len(page.Events) < limit {
			return events
		}
		if position = page.Position(); scope.Agreement != "" {
			require.Equal(t, events[len(events)-1].Position().String(), position)
		}
	}
}

// afterLoss returns a fixture whose log has lost the last commits of an agreement's partition and an operator who has
// accepted that. It returns the partition, too.
func (h *fixture) afterLoss(t *rapid.T) (*fixture, eventlog.Partition) {
	agreement := rapid.SampledFrom([]domain.AgreementID{"a0", "a1", "a2"}).Draw(t, "lost in")
	lost := eventlog.PartitionOf(domain.Stream{Agreement: agreement}.Root())
	short := h.truncated(t, map[eventlog.Partition]uint64{lost: uint64(rapid.IntRange(0, int(h.heads[lost].Seq)).Draw(t, "lost"))})
	require.NoError(t, short.ReportLoss(context.Background(), eventlog.LostTailError{Partition: lost, Known: h.heads[lost]}))
	require.NoError(t, short.AcceptLoss(context.Background(), lost))
	again := newFixtureOn(t, short)
	again.clock, again.n = h.clock, h.n
	again.clock.advance(time.Second)
	heads, err := short.Heads(context.Background())
	require.NoError(t, err)
	for partition, head := range heads {
		for seq := uint64(1); seq <= head.Seq; seq++ {
			commits, err := short.Read(context.Background(), eventlog.Partition(partition), []uint64{seq})
			require.NoError(t, err)
			again.apply(t, &commits[0])
		}
		again.heads[eventlog.Partition(partition)] = head
	}
	return again, lost
}

func (h *fixture) apply(t require.TestingT, commit *eventlog.Commit) {
	h.count[commit.Stream] = commit.Version
	member, _ := domain.ParseActorName(commit.Actor)
	for _, event := range commit.Events {
		payload, err := domain.DecodeEvent(event.Type, event.Data)
		require.NoError(t, err)
		h.state.Apply(domain.Header{
			Stream: stream(commit.Stream), Commit: commit.Seq, Subject: event.Subject, Audience: domain.Audience(event.Audience),
			Partner: domain.PartnerID(commit.Partner), Member: member, RecordedAt: commit.RecordedAt,
		}, payload)
	}
}
