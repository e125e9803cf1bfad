package projections_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tandem/domain"
	"tandem/eventlog"
)

// P9: a read model that followed live, one that was replayed, and one restored from a snapshot and caught up return the
// same bytes to every viewer.
func TestLiveReplayedAndRestoredAreEqual(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawScript(rt, 60)
		saved := rapid.IntRange(0, len(steps)).Draw(rt, "saved after")
		dir, err := os.MkdirTemp(t.TempDir(), "")
		require.NoError(rt, err)
		h := newFixture(rt)
		cfg := h.config()
		live := start(rt, cfg)
		defer live.stop()
		for n, s := range steps {
			if n == saved {
				cfg.Dir = dir
				first := start(rt, cfg)
				require.NoError(rt, first.stop())
			}
			_, _ = h.try(s.who, s.command)
		}
		live.caughtUp(rt)
		cfg.Dir = ""
		replayed := start(rt, cfg)
		defer replayed.stop()
		cfg.Dir = dir
		restored := start(rt, cfg)
		defer restored.stop()
		for _, viewer := range allViewers() {
			want := dump(rt, live.ReadModel, viewer)
			require.Equal(rt, want, dump(rt, replayed.ReadModel, viewer), "replayed, for %+v", viewer)
			require.Equal(rt, want, dump(rt, restored.ReadModel, viewer), "restored, for %+v", viewer)
		}
		for name, commits := range h.count {
			at := eventlog.PartitionOf(stream(name).Root())
			for _, model := range []*runningModel{live, replayed, restored} {
				require.Equal(rt, commits, model.StreamVersion(at, name), name)
			}
		}
	})
}

// P10: the private commands of one partner do not change a byte of views, versions, positions, ETags and feeds of
// other partners.
func TestTwoWorlds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawScript(rt, 80)
		whole, secrets := worldOf(rt, steps, nil)
		defer whole.stop()
		without, _ := worldOf(rt, steps, secrets)
		defer without.stop()
		for _, viewer := range allViewers() {
			if viewer.Partner != "nokia" && !viewer.Operator {
				require.Equal(rt, dump(rt, without.ReadModel, viewer), dump(rt, whole.ReadModel, viewer), "for %+v", viewer)
			}
		}
	})
}

// worldOf plays the steps except those left out. It returns a read model of the result and the steps that only nokia can
// ever see.
func worldOf(t *rapid.T, steps []step, leaveOut map[int]bool) (*runningModel, map[int]bool) {
	h := newFixture(t)
	model := start(t, h.config())
	secrets := map[int]bool{}
	byMilestone := map[domain.MilestoneRef][]int{}
	for n, s := range steps {
		h.at(n)
		if leaveOut[n] {
			continue
		}
		command := s.command
		if delivery, ok := command.(domain.DeliverMilestone); ok && leaveOut != nil && s.who == "nokia" {
			delivery.PrivateEvidence = nil // the shared evidence stays
			command = delivery
		}
		commit, err := h.try(s.who, command)
		if err != nil || s.who != "nokia" {
			continue
		}
		at := domain.MilestoneRef{Agreement: stream(commit.Stream).Agreement, Project: stream(commit.Stream).Project, Milestone: domain.MilestoneID(commit.Events[0].Subject)}
		switch {
		case stream(commit.Stream).Partner != "":
			secrets[n] = isSecret(s.command)
		case commit.Events[0].Audience == string(domain.Shared):
			if _, shared := s.command.(domain.ShareMilestone); shared { // its past was needed
				for _, k := range byMilestone[at] {
					secrets[k] = staysPrivate(steps[k].command)
				}
			}
		default:
			secrets[n] = true
			byMilestone[at] = append(byMilestone[at], n)
		}
	}
	model.caughtUp(t)
	h.at(len(steps))
	return model, secrets
}

// isSecret reports whether only nokia can ever see the effects of its command on a directory. Other partners see its
// profile, and an invitation that they redeem.
func isSecret(c domain.Command) bool {
	switch c := c.(type) {
	case domain.EditPartner:
		return c.TimeZone == nil && c.Name == nil
	case domain.CreateInvitation, domain.RevokeInvitation, domain.RedeemInvitation:
		return false
	}
	return true
}

// staysPrivate reports whether a command on a private milestone stays invisible when the milestone is shared (R17).
func staysPrivate(c domain.Command) bool {
	switch c := c.(type) {
	case domain.CommentMilestone:
		return true
	case domain.MoveForecast:
		return c.Private
	case domain.ReportProgress:
		return c.Private
	}
	return false
}

func stream(name string) domain.Stream {
	s, err := domain.ParseStream(name)
	if err != nil {
		panic(err)
	}
	return s
}
