package projections_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tandem/domain"
	"tandem/projections"
	"tandem/projections/feed"
	"tandem/projections/sentences"
)

// wording is the sentences of events by language and event id, for each partner.
type wording map[domain.PartnerID]map[string]string

// add renders the events after a cursor as the partner reads them and returns the next cursor.
func (w wording) add(t require.TestingT, model *projections.ReadModel, reader domain.PartnerID, cursor feed.Cursor) feed.Cursor {
	page, err := feed.NewReader(model).Next(context.Background(), viewerOf(reader), cursor, feed.EventQuery{}, 10_000)
	require.NoError(t, err)
	if w[reader] == nil {
		w[reader] = map[string]string{}
	}
	for _, language := range sentences.Languages() {
		events, err := model.RenderEvents(viewerOf(reader), page.Events, language)
		require.NoError(t, err)
		for _, event := range events {
			w[reader][language+" "+event.ID] = event.Sentence
		}
	}
	return page.Cursor
}

// renames gives new titles and names to all entities of a random history that can still be edited.
func renames() (steps []step) {
	for _, partner := range partnerIDs() {
		steps = append(steps, step{partner, domain.EditPartner{PartnerID: partner, Name: new("Renamed " + string(partner))}})
		for _, agreement := range []domain.AgreementID{"a0", "a1", "a2"} {
			steps = append(steps, step{partner, domain.EditAgreement{AgreementID: agreement, Title: new("Renamed")}})
			for _, id := range append(sharedIDs(), secretIDs(partner)...) {
				ref := milestoneOf(agreement, id)
				steps = append(steps, step{partner, domain.EditMilestone{MilestoneRef: ref, Title: new("Renamed " + string(id))}},
					step{partner, domain.EditProject{ProjectRef: ref.ProjectRef(), Title: new("Renamed project")}})
			}
		}
	}
	return steps
}

// TestSentencesKeepTheWordingOfTheirTime renders every event of a random history right after its commit and at the end,
// in a read model that followed live, in a replayed one and in one restored from a snapshot.
func TestSentencesKeepTheWordingOfTheirTime(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newFixture(rt)
		cfg := h.config()
		live := start(rt, cfg)
		defer live.stop()
		then, cursors := wording{}, map[domain.PartnerID]feed.Cursor{}
		for _, s := range append(drawScript(rt, 60), renames()...) {
			if _, err := h.try(s.who, s.command); err != nil {
				continue
			}
			live.caughtUp(rt)
			for _, partner := range partnerIDs() {
				cursors[partner] = then.add(rt, live.ReadModel, partner, cursors[partner])
			}
		}
		cfg.Dir = t.TempDir()
		replayed := start(rt, cfg)
		require.NoError(rt, replayed.stop())
		restored := start(rt, cfg)
		defer restored.stop()
		for name, model := range map[string]*runningModel{"live": live, "replayed": replayed, "restored": restored} {
			now := wording{}
			for _, partner := range partnerIDs() {
				now.add(rt, model.ReadModel, partner, feed.Cursor{})
				for id, sentence := range now[partner] {
					require.Equal(rt, then[partner][id], sentence, "%s, for %s", name, partner)
				}
			}
		}
	})
}

// historyOf returns the English sentences that a partner reads, oldest first.
func (i *runningModel) historyOf(t *testing.T, partner domain.PartnerID) (history []string) {
	i.caughtUp(t)
	events, err := i.partnerEvents(t.Context(), viewerOf(partner), "", 1000)
	require.NoError(t, err)
	for _, event := range events.Events {
		history = append(history, event.Sentence)
	}
	return history
}

// TestRenamedThingsKeepTheirNamesInOlderSentences: an older sentence never says what was not said then.
func TestRenamedThingsKeepTheirNamesInOlderSentences(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	h.do("nokia", domain.EditMilestone{MilestoneRef: milestoneRef("fp4"), Title: new("1 router")})
	h.do("nokia", domain.StartMilestone{MilestoneRef: milestoneRef("fp4")})
	for _, partner := range []domain.PartnerID{"nokia", "xiaomi"} {
		h.do(partner, domain.EditProject{ProjectRef: milestoneRef("fp4").ProjectRef(), Title: new("Fibre")})
	}
	h.do("nokia", domain.EditPartner{PartnerID: "nokia", Name: new("Nokia Solutions")})
	h.do("nokia", domain.CommentMilestone{MilestoneRef: milestoneRef("fp4"), Text: "Done soon"})
	model := h.follow(t, h.config())
	history := model.historyOf(t, "xiaomi")
	require.Equal(t, []string{
		"Nokia created the project “IP routing”",
		"Nokia planned “Title of fp4” for 30 March 2018",
		"Nokia changed “Title of fp4”: title from “Title of fp4” to “1 router”",
		"Nokia started work on “1 router”",
		"Nokia proposed to change the project “IP routing”: title from “IP routing” to “Fibre”",
		"Xiaomi proposed to change the project “IP routing”: title from “IP routing” to “Fibre”",
		"Xiaomi changed the project “IP routing”: title from “IP routing” to “Fibre”",
		"Nokia Solutions commented on “1 router”: Done soon",
	}, history[len(history)-8:])
}

// TestATitleBeforeSharingStaysPrivate (R16): the history of a shared milestone begins with the title that was shared.
func TestATitleBeforeSharingStaysPrivate(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.do("nokia", domain.PlanMilestone{
		MilestoneRef: milestoneRef("secret-1"), Plan: domain.Plan{Title: "Save 4 million", Owner: "nokia", DueOn: 20180330}, Private: true,
	})
	h.do("nokia", domain.EditMilestone{MilestoneRef: milestoneRef("secret-1"), Title: new("Lower costs")})
	h.do("nokia", domain.ShareMilestone{MilestoneRef: milestoneRef("secret-1")})
	model := h.follow(t, h.config())
	for _, sentence := range model.historyOf(t, "xiaomi") {
		require.NotContains(t, sentence, "million")
	}
	require.Contains(t, model.historyOf(t, "nokia"), "Nokia planned the private milestone “Save 4 million” for 30 March 2018")
}

// TestReasonsOfTheInboxAreTranslated: the reason keeps the name that its partner had, in the language asked for.
func TestReasonsOfTheInboxAreTranslated(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.do("xiaomi", domain.TerminateAgreement{AgreementID: agreementID, Mode: domain.Mutual, EffectiveOn: 20171231, Reason: "done"})
	h.do("xiaomi", domain.EditPartner{PartnerID: "xiaomi", Name: new("Mi")})
	model := h.follow(t, h.config())
	for language, reason := range map[string]string{
		"en": "Xiaomi proposed to terminate the agreement with effect from 31 December 2017: done",
		"zh": "Xiaomi 提议终止协议，自 2017年12月31日起生效，理由：done",
		"fi": "Xiaomi ehdotti sopimuksen päättämistä 31.12.2017: done",
		"":   "Xiaomi proposed to terminate the agreement with effect from 31 December 2017: done",
	} {
		require.NoError(t, model.View(viewerOf("nokia"), func(view *projections.View) error {
			require.Equal(t, reason, view.Inbox(language)[0].Reason)
			return nil
		}))
	}
}
