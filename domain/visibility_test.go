package domain

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// targets are the ids that the commands of this test name.
type targets struct {
	partner   PartnerID
	agreement AgreementID
	project   ProjectID
	milestone MilestoneID
}

func (x targets) projectRef() ProjectRef { return ProjectRef{x.agreement, x.project} }

func (x targets) ref() MilestoneRef { return MilestoneRef{x.agreement, x.project, x.milestone} }

// The kind of target decides who may know that it exists.
const (
	aboutDirectory = "directory"
	aboutWebhook   = "webhook"
	aboutDisabling = "disabling a webhook"
	aboutRenaming  = "renaming a party"
	aboutAgreement = "agreement"
	aboutProject   = "project"
	aboutMilestone = "milestone"
	aboutNewTarget = "a new target"
)

// probes has for every command a valid one that takes effect if the actor is allowed to issue it.
var probes = map[string]struct {
	about string
	make  func(x targets) Command
}{
	"partner.create":  {aboutNewTarget, nil},
	"agreement.draft": {aboutNewTarget, nil},
	// Its refusal is the same for every code that cannot be redeemed; see introductions.txt.
	"partner.redeem_invitation": {aboutNewTarget, nil},
	"name.reserve":              {aboutNewTarget, nil},
	"agreement.rename_party": {aboutRenaming, func(x targets) Command {
		return RenameParty{x.agreement, PartyRename{Party: "nokia", Number: 1, From: "F", To: "T"}}
	}},
	"partner.create_invitation": {aboutWebhook, func(x targets) Command {
		return CreateInvitation{InvitationRef: InvitationRef{x.partner, "new"}, Hash: make([]byte, 32), ExpiresInDays: 1}
	}},
	"partner.revoke_invitation": {aboutWebhook, func(x targets) Command { return RevokeInvitation{InvitationRef{x.partner, "i"}} }},
	"partner.edit":              {aboutDirectory, func(x targets) Command { return EditPartner{PartnerID: x.partner, Name: new("N")} }},
	"member.add":                {aboutDirectory, func(x targets) Command { return AddMember{MemberRef: MemberRef{x.partner, "new"}, Role: Viewer} }},
	"member.edit":               {aboutDirectory, func(x targets) Command { return EditMember{MemberRef: MemberRef{x.partner, "anna"}} }},
	"member.remove":             {aboutDirectory, func(x targets) Command { return RemoveMember{MemberRef{x.partner, "anna"}} }},
	"token.issue": {aboutDirectory, func(x targets) Command {
		return IssueToken{TokenRef: TokenRef{Partner: x.partner, Token: "new"}, Name: "N", Role: Viewer, Hash: make([]byte, 32)}
	}},
	"token.confirm": {aboutDirectory, func(x targets) Command { return ConfirmToken{TokenRef{x.partner, "first"}} }},
	"token.revoke":  {aboutDirectory, func(x targets) Command { return RevokeToken{TokenRef{x.partner, "poller"}} }},
	"webhook.add": {aboutWebhook, func(x targets) Command {
		return AddWebhook{WebhookRef: WebhookRef{Partner: x.partner, Webhook: "new"}, Settings: WebhookSettings{
			Format: "standard", Address: []byte("sealed"), DisplayAddress: "p", Events: []string{"*"}, Language: "en", Order: Ordered,
		}}
	}},
	"webhook.edit": {aboutWebhook, func(x targets) Command {
		return EditWebhook{WebhookRef: WebhookRef{Partner: x.partner, Webhook: "ops"}, Title: new("T")}
	}},
	"webhook.rotate_secret": {aboutWebhook, func(x targets) Command { return RotateWebhookSecret{WebhookRef{x.partner, "ops"}, []byte("sealed")} }},
	"webhook.remove":        {aboutWebhook, func(x targets) Command { return RemoveWebhook{WebhookRef{x.partner, "ops"}} }},
	"webhook.enable":        {aboutWebhook, func(x targets) Command { return EnableWebhook{WebhookRef{x.partner, "ops"}} }},
	"webhook.test":          {aboutWebhook, func(x targets) Command { return TestWebhook{WebhookRef{x.partner, "ops"}} }},
	"webhook.redeliver":     {aboutWebhook, func(x targets) Command { return ResendWebhook{WebhookRef{x.partner, "ops"}, "d"} }},
	"webhook.replay": {aboutWebhook, func(x targets) Command {
		return ReplayWebhook{WebhookRef: WebhookRef{Partner: x.partner, Webhook: "ops"}, After: "a"}
	}},
	"partner.dismiss_notice":         {aboutWebhook, func(x targets) Command { return DismissNotice{PartnerID: x.partner, Notice: "token-first"} }},
	"webhook.disable":                {aboutDisabling, func(x targets) Command { return DisableWebhook{WebhookRef{x.partner, "ops"}, "r"} }},
	"agreement.edit":                 {aboutAgreement, func(x targets) Command { return EditAgreement{AgreementID: x.agreement, Title: new("T")} }},
	"agreement.name_contact_persons": {aboutAgreement, func(x targets) Command { return NameContactPersons{x.agreement, []MemberID{"anna"}} }},
	"agreement.sign":                 {aboutAgreement, func(x targets) Command { return SignAgreement{AgreementID: x.agreement, Signatory: "S"} }},
	"agreement.decline":              {aboutAgreement, func(x targets) Command { return DeclineAgreement{x.agreement, "r"} }},
	"agreement.withdraw":             {aboutAgreement, func(x targets) Command { return WithdrawAgreement{x.agreement, "r"} }},
	"instrument.edit": {aboutAgreement, func(x targets) Command {
		return EditInstrument{AgreementID: x.agreement, Instrument: "i", Title: new("T")}
	}},
	"instrument.remove": {aboutAgreement, func(x targets) Command { return RemoveInstrument{x.agreement, "i"} }},
	"agreement.terminate": {aboutAgreement, func(x targets) Command {
		return TerminateAgreement{x.agreement, ByNotice, "r", 2018_06_30}
	}},
	"amendment.propose": {aboutAgreement, func(x targets) Command {
		return ProposeAmendment{AgreementID: x.agreement, Title: "T", Changes: AmendmentChanges{Terms: TermsChange{Title: new("New")}}}
	}},
	"amendment.sign": {aboutAgreement, func(x targets) Command {
		return SignAmendment{AmendmentRef: AmendmentRef{Agreement: x.agreement, Number: 1}, Signatory: "S"}
	}},
	"amendment.reject":   {aboutAgreement, func(x targets) Command { return RejectAmendment{AmendmentRef{x.agreement, 1}, "r"} }},
	"amendment.withdraw": {aboutAgreement, func(x targets) Command { return WithdrawAmendment{AmendmentRef{x.agreement, 1}, "r"} }},
	"instrument.add": {aboutAgreement, func(x targets) Command {
		return AddInstrument{x.agreement, Instrument{ID: "new", Kind: Collaboration, Title: "I", EffectiveOn: 2018_01_01, Disclosure: Disclosed}}
	}},
	"instrument.move_item": {aboutAgreement, func(x targets) Command {
		return MoveItem{AgreementID: x.agreement, Instrument: "i", Item: "lot", State: ItemDelivered}
	}},
	"instrument.note": {aboutAgreement, func(x targets) Command { return NoteInstrument{x.agreement, "i", "n"} }},
	"project.create": {aboutAgreement, func(x targets) Command {
		return CreateProject{ProjectRef: ProjectRef{x.agreement, "new"}, Title: "T", Stage: Committed, Lead: "nokia", Participants: []PartnerID{"nokia", "xiaomi"}}
	}},
	"project.edit": {aboutProject, func(x targets) Command { return EditProject{ProjectRef: x.projectRef(), Title: new("T")} }},
	"project.call": {aboutProject, func(x targets) Command { return CallStage{ProjectRef: x.projectRef(), Move: MoveComplete} }},
	"change.propose": {aboutProject, func(x targets) Command {
		return ProposeChange{ProjectRef: x.projectRef(), Reason: "r", Milestones: []WantedChange{{Milestone: x.milestone}}}
	}},
	"change.approve":  {aboutProject, func(x targets) Command { return ApproveChange{ChangeRef{x.projectRef(), 1}} }},
	"change.reject":   {aboutProject, func(x targets) Command { return RejectChange{ChangeRef{x.projectRef(), 1}, "r"} }},
	"change.withdraw": {aboutProject, func(x targets) Command { return WithdrawChange{ChangeRef{x.projectRef(), 1}, ""} }},
	"milestone.plan": {aboutProject, func(x targets) Command {
		return PlanMilestone{MilestoneRef: MilestoneRef{x.agreement, x.project, "new"}, Plan: Plan{Title: "T", Owner: "nokia", DueOn: 2018_03_30}}
	}},
	"milestone.edit":             {aboutMilestone, func(x targets) Command { return EditMilestone{MilestoneRef: x.ref(), Title: new("T")} }},
	"milestone.agree":            {aboutMilestone, func(x targets) Command { return AgreeOwnership{x.ref()} }},
	"milestone.decline":          {aboutMilestone, func(x targets) Command { return DeclineOwnership{x.ref(), "r"} }},
	"milestone.start":            {aboutMilestone, func(x targets) Command { return StartMilestone{x.ref()} }},
	"milestone.progress":         {aboutMilestone, func(x targets) Command { return ReportProgress{MilestoneRef: x.ref(), Percent: new(50)} }},
	"milestone.forecast":         {aboutMilestone, func(x targets) Command { return MoveForecast{MilestoneRef: x.ref(), On: 2018_05_01, Reason: "r"} }},
	"milestone.complete":         {aboutMilestone, func(x targets) Command { return CompleteMilestone{MilestoneRef: x.ref()} }},
	"milestone.deliver":          {aboutMilestone, func(x targets) Command { return DeliverMilestone{MilestoneRef: x.ref()} }},
	"milestone.withdraw":         {aboutMilestone, func(x targets) Command { return WithdrawDelivery{x.ref(), ""} }},
	"milestone.accept":           {aboutMilestone, func(x targets) Command { return AcceptMilestone{MilestoneRef: x.ref()} }},
	"milestone.reject":           {aboutMilestone, func(x targets) Command { return RejectMilestone{x.ref(), []string{"r"}, nil} }},
	"milestone.close_condition":  {aboutMilestone, func(x targets) Command { return CloseCondition{x.ref(), 1} }},
	"milestone.meet_condition":   {aboutMilestone, func(x targets) Command { return MeetCondition{x.ref(), 1, "", nil} }},
	"milestone.refuse_condition": {aboutMilestone, func(x targets) Command { return RefuseCondition{x.ref(), 1, "r", nil} }},
	"milestone.check_criterion":  {aboutMilestone, func(x targets) Command { return CheckCriterion{x.ref(), 1, CriterionMet, "", nil} }},
	"milestone.dispute":          {aboutMilestone, func(x targets) Command { return DisputeMilestone{x.ref(), "r", 0} }},
	"milestone.settle":           {aboutMilestone, func(x targets) Command { return SettleMilestone{x.ref(), SettledAccepted, ""} }},
	"milestone.cancel":           {aboutMilestone, func(x targets) Command { return CancelMilestone{MilestoneRef: x.ref()} }},
	"milestone.waive":            {aboutMilestone, func(x targets) Command { return WaiveMilestone{x.ref(), "not needed"} }},
	"milestone.share":            {aboutMilestone, func(x targets) Command { return ShareMilestone{MilestoneRef: x.ref()} }},
	"milestone.name_responsible": {aboutMilestone, func(x targets) Command { return NameResponsible{x.ref(), "anna"} }},
	"milestone.comment":          {aboutMilestone, func(x targets) Command { return CommentMilestone{MilestoneRef: x.ref(), Text: "t"} }},
}

// hidden returns a state with entities that huawei, zte or xiaomi may not see.
func hidden(t *testing.T) *scenario {
	s := &scenario{t: t, ledger: newLedger(t), today: NewDate(2018, time.January, 8)}
	s.given("a partner nokia")
	s.must("nokia", "add-member nokia/anna")
	s.must("nokia", "issue-token nokia/poller")
	s.must("operator", "issue-token nokia/first")
	s.must("nokia", "add-webhook nokia/ops")
	s.must("nokia", "create-invitation nokia/i")
	s.given("a draft agreement three between nokia, xiaomi and zte")
	s.must("nokia", `add-instrument i kind=collaboration schedule="lot First lot"`)
	for _, partner := range []PartnerID{"nokia", "xiaomi", "zte"} {
		s.must(partner, "sign three")
	}
	s.given("an active project p of nokia and xiaomi")
	s.given("a started milestone p/m of nokia")
	s.given("a private milestone p/secret-k3v9 of nokia")
	s.must("nokia", "propose-change p reason=agree milestones=m")
	s.must("nokia", "propose-amendment three acceptance_days=7")
	return s
}

// R16: an invisible target and a missing one get the same answer.
func TestInvisibleTargetsAreNotFound(t *testing.T) {
	there := targets{"nokia", "three", "p", "m"}
	secret := there
	secret.milestone = "secret-k3v9"
	for _, c := range []struct {
		who    string
		actor  Actor
		exists targets
		blind  []string // kinds of targets that the actor may not see
	}{
		{"another partner", Actor{Partner: "huawei", Member: "h", Role: Manager, MaySign: true}, there, []string{aboutDirectory, aboutWebhook, aboutDisabling, aboutRenaming, aboutAgreement, aboutProject, aboutMilestone}},
		{"another partner's viewer", Actor{Partner: "huawei", Member: "h", Role: Viewer}, there, []string{aboutDirectory, aboutWebhook, aboutDisabling, aboutRenaming, aboutAgreement, aboutProject, aboutMilestone}},
		{"a party that does not take part", Actor{Partner: "zte", Member: "z", Role: Manager, MaySign: true}, there, []string{aboutDirectory, aboutWebhook, aboutDisabling, aboutRenaming, aboutProject, aboutMilestone}},
		{"its viewer", Actor{Partner: "zte", Member: "z", Role: Viewer}, there, []string{aboutDirectory, aboutWebhook, aboutDisabling, aboutRenaming, aboutProject, aboutMilestone}},
		{"the other participant", Actor{Partner: "xiaomi", Member: "x", Role: Manager, MaySign: true}, secret, []string{aboutDirectory, aboutWebhook, aboutDisabling, aboutRenaming, aboutMilestone}},
		{"its viewer", Actor{Partner: "xiaomi", Member: "x", Role: Viewer}, secret, []string{aboutDirectory, aboutWebhook, aboutDisabling, aboutRenaming, aboutMilestone}},
		{"the operator", Actor{Member: "operator", Role: Operator}, there, []string{aboutWebhook, aboutDisabling, aboutRenaming, aboutAgreement, aboutProject, aboutMilestone}},
		{"the system", Actor{Member: "system", Role: System}, there, []string{aboutDirectory, aboutWebhook, aboutAgreement, aboutProject, aboutMilestone}},
	} {
		t.Run(c.who, func(t *testing.T) {
			s := hidden(t)
			for _, name := range CommandNames() {
				probe, known := probes[name]
				require.True(t, known, "%s needs a row in this test", name)
				for _, about := range c.blind {
					if probe.about == about {
						requireUnknown(t, s, name, probe.make, c.actor, c.exists)
					}
				}
			}
		})
	}
}

func requireUnknown(t *testing.T, s *scenario, name string, command func(targets) Command, by Actor, exists targets) {
	nowhere := targets{"none-such", "none-such", "none-such", "none-such"}
	for _, version := range []*uint64{nil, new(uint64(0)), new(uint64(1)), new(uint64(2))} {
		dc := s.meta("nokia")
		dc.Actor, dc.IfMatch = by, version
		for _, x := range []targets{exists, nowhere} {
			for _, command := range []Command{command(x), aimOnly(t, command(x))} {
				events, err := Decide(s.ledger.plain, command, dc)
				require.Empty(t, events, name)
				require.Equal(t, error(ErrNotFound()), err, name)
			}
		}
	}
}

// aimOnly returns the command with its target only: invalid fields do not reveal whether a target exists.
func aimOnly(t *testing.T, command Command) Command {
	bare := reflect.New(reflect.TypeOf(command)).Elem()
	for _, name := range []string{"MilestoneRef", "ProjectRef", "AgreementID", "Agreement", "PartnerID", "Partner", "Member", "Token", "Webhook", "Notice", "Invitation"} {
		if f := bare.FieldByName(name); f.IsValid() {
			f.Set(reflect.ValueOf(command).FieldByName(name))
		}
	}
	only := bare.Interface().(Command)
	require.Equal(t, command.Stream(), only.Stream())
	return only
}

// The probes of the test above find visible targets: nokia sees all of them.
func TestVisibleTargetsAreFound(t *testing.T) {
	s := hidden(t)
	for name, probe := range probes {
		if probe.make == nil || probe.about == aboutRenaming {
			continue
		}
		_, err := Decide(s.ledger.plain, probe.make(targets{"nokia", "three", "p", "m"}), s.meta("nokia"))
		t.Run(name, func(t *testing.T) { require.NotEqual(t, error(ErrNotFound()), err) })
	}
}
