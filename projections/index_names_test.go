package projections_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
	"tandem/projections/feed"
)

// addMember adds a manager of nokia with a name and an address, who acts in the following commands of nokia.
func (h *fixture) addMember(id domain.MemberID, name string) {
	h.puts = []eventlog.KV{
		{Key: projections.NameKey("nokia", id), Value: []byte(name)},
		{Key: projections.EmailKey("nokia", id), Value: []byte(string(id) + "@nokia.example")},
	}
	h.do("nokia", domain.AddMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: id}, Role: domain.Manager})
	h.actor = domain.Actor{Partner: "nokia", Member: id, Role: domain.Manager, MaySign: true}
}

func (h *fixture) rename(id domain.MemberID, name string) {
	h.puts = []eventlog.KV{{Key: projections.NameKey("nokia", id), Value: []byte(name)}}
	h.do("nokia", domain.EditMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: id}})
}

func (h *fixture) removeMember(id domain.MemberID) {
	h.puts = []eventlog.KV{{Key: projections.NameKey("nokia", id)}, {Key: projections.EmailKey("nokia", id)}}
	h.do("nokia", domain.RemoveMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: id}})
}

// lastEvent returns the last event of the agreement that xiaomi sees.
func (i *runningModel) lastEvent(t *testing.T, language string) api.Event {
	t.Helper()
	i.caughtUp(t)
	query := feed.EventQuery{EventScope: projections.EventScope{Agreement: agreementID}}
	page, err := feed.NewReader(i.ReadModel).Next(context.Background(), viewerOf("xiaomi"), feed.Cursor{}, query, 100)
	require.NoError(t, err)
	rendered, err := i.RenderEvents(viewerOf("xiaomi"), page.Events[len(page.Events)-1:], language)
	require.NoError(t, err)
	return rendered[0]
}

func TestEventsShowTheDisplayNameOfTheMember(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	h.plan("by-a-program", domain.NewDate(2018, 3, 30))
	event := model.lastEvent(t, "en")
	require.Nil(t, event.MemberName)
	require.True(t, strings.HasPrefix(event.Sentence, "Nokia planned "), event.Sentence)

	h.addMember("anna", "Anna Virtanen")
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	event = model.lastEvent(t, "en")
	require.Equal(t, "Anna Virtanen", *event.MemberName)
	require.True(t, strings.HasPrefix(event.Sentence, "Anna Virtanen (Nokia) planned "), event.Sentence)

	h.rename("anna", "Anna Nieminen")
	require.Equal(t, "Anna Nieminen", *model.lastEvent(t, "en").MemberName)
	h.actor = domain.Actor{}
	h.removeMember("anna")
	for language, former := range map[string]string{"en": "former member", "zh": "前成员", "fi": "entinen jäsen"} {
		event = model.lastEvent(t, language)
		require.Equal(t, former, *event.MemberName)
		require.NotContains(t, event.Sentence, "Anna")
	}
}

// TestNamesSurviveARestart also checks that no snapshot contains a name.
func TestNamesSurviveARestart(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.addMember("bo", "Bo Lindgren")
	h.plan("first", domain.NewDate(2018, 3, 30))
	h.actor = domain.Actor{}
	h.removeMember("bo")
	cfg := h.config()
	cfg.Dir = t.TempDir()
	model := h.follow(t, cfg)
	require.Equal(t, "former member", *model.lastEvent(t, "en").MemberName)
	h.addMember("anna", "Anna Virtanen")
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	require.Equal(t, "Anna Virtanen", *model.lastEvent(t, "en").MemberName)
	require.NoError(t, model.stop())
	files, err := filepath.Glob(filepath.Join(cfg.Dir, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotContains(t, string(content), "Virtanen")
	}
	require.Equal(t, "Anna Virtanen", *h.follow(t, cfg).lastEvent(t, "en").MemberName)
}

// TestErasureMakesPagesOfCounterpartiesStale also checks that a change of a member that others cannot notice keeps
// their pages.
func TestErasureMakesPagesOfCounterpartiesStale(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	stale := func(change func()) bool {
		before := model.page(t, viewerOf("xiaomi"))
		change()
		model.caughtUp(t)
		return before != model.page(t, viewerOf("xiaomi"))
	}
	anna := domain.MemberRef{Partner: "nokia", Member: "anna"}
	require.False(t, stale(func() { h.addMember("anna", "Anna Virtanen") }))
	require.False(t, stale(func() { h.do("nokia", domain.EditMember{MemberRef: anna, MaySign: new(true)}) }))
	require.True(t, stale(func() { h.rename("anna", "Anna Nieminen") }))
	h.actor = domain.Actor{}
	require.True(t, stale(func() { h.removeMember("anna") }))
}

// TestResponsibleMembersShowDisplayNames also checks that a record of a webhook message has none.
func TestResponsibleMembersShowDisplayNames(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	h.plan("fp4", domain.NewDate(2018, 3, 30))
	h.addMember("anna", "Anna Virtanen")
	h.actor = domain.Actor{}
	h.do("nokia", domain.NameResponsible{MilestoneRef: milestoneRef("fp4"), Member: "anna"})
	event := model.lastEvent(t, "en")
	require.Equal(t, "Nokia named Anna Virtanen as responsible for “Title of fp4”", event.Sentence)
	responsible := func(partner domain.PartnerID) (shape map[domain.PartnerID]api.NamedMember) {
		require.NoError(t, model.View(viewerOf(partner), func(view *projections.View) error {
			milestone, _ := view.Milestone(milestoneRef("fp4"))
			shape = milestone.Responsible
			return nil
		}))
		return shape
	}
	want := map[domain.PartnerID]api.NamedMember{"nokia": {Member: "anna", MemberName: new("Anna Virtanen")}}
	require.Equal(t, want, responsible("xiaomi"))

	query := feed.EventQuery{EventScope: projections.EventScope{Agreement: agreementID}}
	page, err := feed.NewReader(model.ReadModel).Next(context.Background(), viewerOf("xiaomi"), feed.Cursor{}, query, 100)
	require.NoError(t, err)
	rendered, err := model.RenderEvent(context.Background(), "xiaomi", page.Events[len(page.Events)-1], false, "fi")
	require.NoError(t, err)
	require.Contains(t, rendered.Members, "Anna Virtanen")
	require.Contains(t, rendered.Sentence, "Anna Virtanen")
	unnamed := rendered.WithoutMembers()
	content, err := json.Marshal(unnamed)
	require.NoError(t, err)
	require.NotContains(t, string(content), "Virtanen")
	require.Contains(t, unnamed.Event.Sentence, "named anna as responsible")
	require.Equal(t, want, rendered.Milestone.Responsible, "the message itself keeps the name")

	h.removeMember("anna")
	model.caughtUp(t)
	require.Equal(t, "former member", *responsible("xiaomi")["nokia"].MemberName)
	event = model.lastEvent(t, "en")
	require.Equal(t, "Nokia named a former member as responsible for “Title of fp4”", event.Sentence)
}

func TestResponsibleMembersOfPartiesThatHaveLeftAreNotShown(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	h.plan("b", domain.NewDate(2018, 3, 30))
	for _, partner := range []domain.PartnerID{"nokia", "xiaomi"} {
		h.do(partner, domain.NameResponsible{MilestoneRef: milestoneRef("b"), Member: "anna"})
	}
	h.do("xiaomi", domain.TerminateAgreement{AgreementID: agreementID, Mode: domain.ByNotice, Reason: "new strategy", EffectiveOn: 20170705})
	require.Len(t, model.milestone(t, "nokia").Responsible, 2)
	h.clock.advance(24 * time.Hour)
	require.Equal(t, map[domain.PartnerID]api.NamedMember{"nokia": {Member: "anna"}}, model.milestone(t, "nokia").Responsible)
}

// TestContactPersonsShowDisplayNames also checks that a record of a webhook message has none, although one name contains
// another.
func TestContactPersonsShowDisplayNames(t *testing.T) {
	h := newFixture(t)
	h.settle()
	model := h.follow(t, h.config())
	h.addMember("m1", "Anna")
	h.addMember("m2", "Anna Virtanen")
	h.actor = domain.Actor{}
	terms := func() (agreement api.Agreement) {
		model.caughtUp(t)
		return viewed(model, viewerOf("xiaomi"), func(view *projections.View) api.Agreement { a, _ := view.Agreement(agreementID); return a })
	}
	before := terms()
	require.Empty(t, before.ContactPersons)
	h.do("nokia", domain.NameContactPersons{AgreementID: agreementID, Members: []domain.MemberID{"m1", "m2"}})
	require.Contains(t, model.lastEvent(t, "en").Sentence, "Nokia named Anna and Anna Virtanen as contact persons for “")
	after := terms()
	require.Equal(t, map[domain.PartnerID][]api.NamedMember{
		"nokia": {{Member: "m1", MemberName: new("Anna")}, {Member: "m2", MemberName: new("Anna Virtanen")}},
	}, after.ContactPersons)
	require.Equal(t, before.TermsSHA256, after.TermsSHA256)
	require.Equal(t, before.Signatures, after.Signatures)

	query := feed.EventQuery{EventScope: projections.EventScope{Agreement: agreementID}}
	page, err := feed.NewReader(model.ReadModel).Next(context.Background(), viewerOf("xiaomi"), feed.Cursor{}, query, 100)
	require.NoError(t, err)
	rendered, err := model.RenderEvent(context.Background(), "xiaomi", page.Events[len(page.Events)-1], false, "fi")
	require.NoError(t, err)
	content, err := json.Marshal(rendered.WithoutMembers())
	require.NoError(t, err)
	require.NotContains(t, string(content), "Anna")
	require.NotContains(t, string(content), "Virtanen")
	require.Contains(t, string(content), "m1 and m2")

	h.removeMember("m2")
	require.Equal(t, "former member", *terms().ContactPersons["nokia"][1].MemberName)
	require.Contains(t, model.lastEvent(t, "en").Sentence, "named Anna and a former member as contact persons")
}
