package projections_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/projections"
)

// moment is the state of a root right after one of its commits.
type moment struct {
	stream domain.Stream
	seq    uint64
	shows  string
}

func resources(t *testing.T, view *projections.View) string {
	d := &dumper{t: t}
	for _, id := range []domain.AgreementID{agreementID} {
		a, ok := view.Agreement(id)
		p, seen := view.Project(id, projectID)
		d.add("agreement", a, ok, p, seen)
		for _, m := range []domain.MilestoneID{"fp4", "secret-1"} {
			x, ok := view.Milestone(milestoneRef(m))
			d.add("milestone", x, ok)
		}
	}
	token, ok := view.Token("nokia", "ci")
	d.add("token", token, ok)
	return d.lines[0] + d.lines[1] + d.lines[2]
}

func TestAsOfShowsTheRootAsItWas(t *testing.T) {
	h := newFixture(t)
	model := h.follow(t, h.config())
	var past []moment
	h.settle()
	commands := []domain.Command{
		domain.PlanMilestone{MilestoneRef: milestoneRef("fp4"), Plan: domain.Plan{Title: "FP4", Owner: "nokia", DueOn: 20180330}},
		domain.PlanMilestone{MilestoneRef: milestoneRef("secret-1"), Plan: domain.Plan{Title: "Secret", Owner: "nokia", DueOn: 20180330}, Private: true},
		domain.StartMilestone{MilestoneRef: milestoneRef("fp4")},
		domain.MoveForecast{MilestoneRef: milestoneRef("fp4"), On: 20180415, Private: true},
		domain.ShareMilestone{MilestoneRef: milestoneRef("secret-1")},
		domain.DeliverMilestone{MilestoneRef: milestoneRef("fp4")},
	}
	viewers := []projections.Viewer{viewerOf("nokia"), viewerOf("xiaomi")}
	for _, c := range commands {
		commit := h.do("nokia", c)
		model.caughtUp(t)
		for _, viewer := range viewers {
			past = append(past, moment{c.Stream(), commit.Seq, viewed(model, viewer, func(view *projections.View) string { return resources(t, view) })})
		}
	}
	for n, m := range past {
		var shows string
		require.NoError(t, model.AsOf(context.Background(), viewers[n%2], m.stream, m.seq, func(view *projections.View) error {
			shows = resources(t, view)
			return nil
		}))
		require.Equal(t, m.shows, shows, "after commit %d", m.seq)
	}
}

func TestAsOfOfADirectory(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.issue("nokia", domain.IssueToken{TokenRef: domain.TokenRef{Token: "ci"}, Role: domain.Viewer})
	before := h.heads[directory("nokia")].Seq
	h.do("nokia", domain.RevokeToken{TokenRef: domain.TokenRef{Partner: "nokia", Token: "ci"}})
	model := h.follow(t, h.config())
	revoked := func(seq uint64) (yes bool) {
		require.NoError(t, model.AsOf(context.Background(), viewerOf("nokia"), domain.Stream{Partner: "nokia"}, seq, func(view *projections.View) error {
			token, ok := view.Token("nokia", "ci")
			require.True(t, ok)
			yes = token.Revoked
			return nil
		}))
		return yes
	}
	require.False(t, revoked(before))
	require.True(t, revoked(before+1))
	require.NoError(t, model.AsOf(context.Background(), viewerOf("nokia"), domain.Stream{Agreement: "nothing"}, 5, func(view *projections.View) error {
		require.False(t, view.AgreementVisible("nothing"))
		return nil
	}))
}

func directory(partner domain.PartnerID) eventlog.Partition {
	return eventlog.PartitionOf(domain.Stream{Partner: partner}.Root())
}

func TestProfilesComeFromOutsideTheChain(t *testing.T) {
	h := newFixture(t)
	h.settle()
	h.do("nokia", domain.AddMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: "anna"}, Role: domain.Manager})
	h.do("nokia", domain.AddMember{MemberRef: domain.MemberRef{Partner: "nokia", Member: "erased"}, Role: domain.Manager})
	partition := directory("nokia")
	require.NoError(t, h.log.Append(context.Background(), eventlog.Batch{
		Partition: partition, Fence: h.leases[partition].Fence(), Head: h.heads[partition],
		Puts: []eventlog.KV{
			{Key: projections.NameKey("nokia", "anna"), Value: []byte("Anna")},
			{Key: projections.EmailKey("nokia", "anna"), Value: []byte("anna@nokia.example")},
		},
	}))
	model := h.follow(t, h.config())
	members := viewed(model, viewerOf("nokia"), func(view *projections.View) []api.Member { return view.Members("nokia") })
	require.NoError(t, model.FillProfiles(context.Background(), "nokia", members))
	require.Equal(t, "Anna", members[0].Name)
	require.Empty(t, members[1].Name)
	name, email, err := model.Profile(context.Background(), "nokia", "anna")
	require.NoError(t, err)
	require.Equal(t, []string{"Anna", "anna@nokia.example"}, []string{name, email})
	name, _, err = model.Profile(context.Background(), "nokia", "erased")
	require.NoError(t, err)
	require.Empty(t, name)
}
