package projections_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"tandem/domain"
)

// step is a command of a random history. Many of them are refused.
type step struct {
	who     domain.PartnerID
	command domain.Command
}

// partnerIDs returns the partners of random histories.
func partnerIDs() []domain.PartnerID { return []domain.PartnerID{"nokia", "xiaomi", "sony"} }

// openingSteps creates the partners and agreements with which every random history begins.
func openingSteps() []step {
	zones := map[domain.PartnerID]string{"nokia": "Europe/Helsinki", "xiaomi": "Asia/Shanghai", "sony": "Asia/Tokyo"}
	var steps []step
	for _, partner := range partnerIDs() {
		steps = append(steps, step{"", domain.CreatePartner{PartnerID: partner, Profile: domain.PartnerProfile{Name: "The " + string(partner), Country: "FI", TimeZone: zones[partner]}}}, announced(partner))
	}
	for n, parties := range [][]domain.PartnerID{{"nokia", "xiaomi"}, {"nokia", "xiaomi", "sony"}, {"sony", "xiaomi"}} {
		agreement := domain.AgreementID(fmt.Sprintf("a%d", n))
		terms := domain.Terms{Title: "Agreement " + string(agreement), Parties: parties, EffectiveOn: domain.NewDate(2017, 7, 1), ExpiresOn: domain.NewDate(2017, 7, 6)}
		steps = append(steps, step{parties[0], domain.DraftAgreement{AgreementID: agreement, Terms: terms}})
		if n == 2 {
			continue // stays a draft unless the history signs it
		}
		steps = append(steps, step{parties[0], domain.AddInstrument{AgreementID: agreement, Instrument: domain.Instrument{
			ID: "i0", Kind: domain.JointDevelopment, Title: "Research", EffectiveOn: domain.NewDate(2017, 7, 1), Disclosure: domain.Undisclosed,
			Schedule:    []domain.ScheduleItem{{ID: "s0", Title: "Study"}, {ID: "s1", Title: "Report"}},
			Obligations: []domain.Obligation{{Clause: "1", Text: "Do it.", Partner: parties[0]}},
		}}})
		steps = append(steps, step{parties[0], domain.AddInstrument{AgreementID: agreement, Instrument: domain.Instrument{ // sony has no role
			ID: "i2", Kind: domain.Supply, Title: "Supply", EffectiveOn: domain.NewDate(2017, 7, 1), Disclosure: domain.Undisclosed,
			Roles:    map[domain.RoleName][]domain.PartnerID{domain.Supplier: {"nokia"}, domain.Customer: {"xiaomi"}},
			Schedule: []domain.ScheduleItem{{ID: "s2", Title: "Lot", Quantity: 9, Unit: "pieces"}},
		}}})
		for _, partner := range parties {
			steps = append(steps, step{partner, domain.SignAgreement{AgreementID: agreement, Signatory: "Chief executive"}})
		}
		steps = append(steps, step{parties[0], domain.CreateProject{
			ProjectRef: domain.ProjectRef{Agreement: agreement, Project: "p0"}, Title: "First", Stage: domain.Committed, Lead: parties[0], Participants: parties,
		}})
		for _, partner := range parties[1:] {
			steps = append(steps, step{partner, domain.CallStage{ProjectRef: domain.ProjectRef{Agreement: agreement, Project: "p0"}, Move: domain.MoveCommit}})
		}
	}
	steps = append(steps, delivery("a0", "m0")...)
	steps = append(steps, supplied("a1", "m9")...)
	conditional, disputed := milestoneOf("a1", "m0"), milestoneOf("a1", "m1")
	steps = append(steps, delivery("a1", "m0")...)
	steps = append(steps, delivery("a1", "m1")...)
	steps = append(steps, // sony is invited to join nokia and xiaomi
		step{"nokia", domain.ProposeAmendment{AgreementID: "a0", Title: "Sony joins", Changes: domain.AmendmentChanges{Join: []domain.Joining{{Partner: "sony"}}}}},
		step{"nokia", domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: "a0", Number: 1}, Signatory: "Chief executive"}},
		step{"xiaomi", domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: "a0", Number: 1}, Signatory: "Chief executive"}},
	)
	return append(
		steps,
		step{"xiaomi", domain.AcceptMilestone{MilestoneRef: conditional, Conditions: []domain.Requirement{{Text: "a report", DueOn: 20180101}}}},
		step{"xiaomi", domain.RejectMilestone{MilestoneRef: disputed, Reasons: []string{"too slow"}}},
		step{"nokia", domain.DisputeMilestone{MilestoneRef: disputed, Reason: "it is fast"}},
	)
}

func milestoneOf(agreement domain.AgreementID, m domain.MilestoneID) domain.MilestoneRef {
	return domain.MilestoneRef{Agreement: agreement, Project: "p0", Milestone: m}
}

// announced issues a token as the operator.
func announced(partner domain.PartnerID) step {
	hash := make([]byte, 32)
	copy(hash, string(partner)+" by the operator")
	return step{"", domain.IssueToken{TokenRef: domain.TokenRef{Partner: partner, Token: "ox1"}, Name: "First", Role: domain.Manager, Hash: hash}}
}

// delivery plans, starts and delivers a milestone of nokia.
func delivery(agreement domain.AgreementID, m domain.MilestoneID) []step {
	ref := milestoneOf(agreement, m)
	return []step{
		{"nokia", domain.PlanMilestone{MilestoneRef: ref, Plan: domain.Plan{
			Title: "Waits for a decision", Owner: "nokia", DueOn: 20170704, Instrument: "i0", ScheduleItem: "s0", Clause: "1",
		}}},
		{"nokia", domain.StartMilestone{MilestoneRef: ref}},
		{"nokia", domain.DeliverMilestone{MilestoneRef: ref, PrivateEvidence: []domain.Evidence{{Title: "Costs", URL: "https://files.example/costs"}}}},
	}
}

// supplied accepts a milestone of nokia that serves the lot.
func supplied(agreement domain.AgreementID, m domain.MilestoneID) []step {
	ref := milestoneOf(agreement, m)
	return []step{
		{"nokia", domain.PlanMilestone{MilestoneRef: ref, Plan: domain.Plan{
			Title: "Lot", Owner: "nokia", Acceptors: []domain.PartnerID{"xiaomi"}, DueOn: 20170704, Instrument: "i2", ScheduleItem: "s2",
		}}},
		{"nokia", domain.StartMilestone{MilestoneRef: ref}},
		{"nokia", domain.DeliverMilestone{MilestoneRef: ref}},
		{"xiaomi", domain.AcceptMilestone{MilestoneRef: ref}},
	}
}

// drawScript draws a history of up to n commands after the opening.
func drawScript(t *rapid.T, n int) []step {
	steps := openingSteps()
	for range rapid.IntRange(n/2, n).Draw(t, "length") {
		who := rapid.SampledFrom(partnerIDs()).Draw(t, "who")
		steps = append(steps, step{who, drawCommand(t, who)})
	}
	return steps
}

func drawCommand(t *rapid.T, who domain.PartnerID) domain.Command {
	switch n := rapid.IntRange(0, 33).Draw(t, "area"); {
	case n >= 30:
		return drawAmendment(t, who)
	case n < 4:
		return drawDirectory(t, who)
	case n < 6:
		return drawAgreement(t, who)
	case n < 9:
		return drawProject(t)
	case n < 14:
		return drawChange(t, who)
	default:
		return drawMilestone(t, who)
	}
}

func drawDirectory(t *rapid.T, who domain.PartnerID) domain.Command {
	id := rapid.SampledFrom([]string{"x1", "x2"}).Draw(t, "id")
	role := rapid.SampledFrom([]domain.Role{domain.Manager, domain.Viewer}).Draw(t, "role")
	hash := make([]byte, 32)
	copy(hash, string(who)+id)
	zone := rapid.SampledFrom([]string{"Europe/Helsinki", "Asia/Tokyo"}).Draw(t, "zone")
	name := rapid.SampledFrom([]string{"The " + string(who), "New " + string(who)}).Draw(t, "name")
	other := rapid.SampledFrom(partnerIDs()).Draw(t, "other")
	return rapid.SampledFrom([]domain.Command{
		domain.AddMember{MemberRef: domain.MemberRef{Partner: who, Member: domain.MemberID("m" + id)}, Role: role},
		domain.EditMember{MemberRef: domain.MemberRef{Partner: who, Member: domain.MemberID("m" + id)}, Role: &role},
		domain.RemoveMember{MemberRef: domain.MemberRef{Partner: who, Member: domain.MemberID("m" + id)}},
		domain.IssueToken{TokenRef: domain.TokenRef{Partner: who, Token: domain.TokenID("t" + id)}, Name: "program", Role: role, Hash: hash, Agreements: []domain.AgreementID{"a1"}},
		domain.IssueToken{TokenRef: domain.TokenRef{Partner: who, Token: domain.TokenID("u" + id)}, Name: "person", Member: domain.MemberID("m" + id), Role: role, Hash: hash, ExpiresAt: time.Date(2018, 1, 1, 0, 0, 0, 0, time.FixedZone("", 7200))},
		domain.RevokeToken{TokenRef: domain.TokenRef{Partner: who, Token: domain.TokenID("t" + id)}},
		domain.EditPartner{PartnerID: who, Holidays: &[]domain.Date{domain.NewDate(2017, 12, rapid.IntRange(1, 28).Draw(t, "holiday"))}},
		domain.EditPartner{PartnerID: who, TimeZone: &zone},
		domain.EditPartner{PartnerID: who, Name: &name},
		domain.ReserveName{Partner: who, Keys: []string{name, zone}},
		domain.CreateInvitation{InvitationRef: domain.InvitationRef{Partner: who, Invitation: domain.InvitationID("i" + id)}, Hash: hash, Note: name, ExpiresInDays: 1},
		domain.CreateInvitation{InvitationRef: domain.InvitationRef{Partner: who, Invitation: domain.InvitationID("i" + id)}, Hash: hash, ExpiresInDays: 90},
		domain.RevokeInvitation{InvitationRef: domain.InvitationRef{Partner: who, Invitation: domain.InvitationID("i" + id)}},
		domain.RedeemInvitation{InvitationRef: domain.InvitationRef{Partner: other, Invitation: domain.InvitationID("i" + id)}},
		domain.RedeemInvitation{InvitationRef: domain.InvitationRef{Partner: other, Invitation: domain.InvitationID("i" + id)}},
		domain.DismissNotice{PartnerID: who, Notice: domain.NoticeOfContact(other), Shown: true},
		domain.DismissNotice{PartnerID: who, Notice: domain.NoticeOfRename(other, 1), Shown: true},
		domain.DismissNotice{PartnerID: who, Notice: domain.NoticeOfInvitation(domain.InvitationID("i" + id))},
		domain.DismissNotice{PartnerID: who, Notice: domain.NoticeOfToken("o" + domain.TokenID(id))},
		addWebhook(who, domain.WebhookID("w"+id)),
		domain.EditWebhook{WebhookRef: domain.WebhookRef{Partner: who, Webhook: domain.WebhookID("w" + id)}, Title: &zone},
		domain.RotateWebhookSecret{WebhookRef: domain.WebhookRef{Partner: who, Webhook: domain.WebhookID("w" + id)}, Secret: []byte(zone)},
		domain.TestWebhook{WebhookRef: domain.WebhookRef{Partner: who, Webhook: domain.WebhookID("w" + id)}},
		domain.RemoveWebhook{WebhookRef: domain.WebhookRef{Partner: who, Webhook: domain.WebhookID("w" + id)}},
	}).Draw(t, "directory")
}

func addWebhook(who domain.PartnerID, id domain.WebhookID) domain.AddWebhook {
	return domain.AddWebhook{WebhookRef: domain.WebhookRef{Partner: who, Webhook: id}, Secret: []byte{0, 255}, Settings: domain.WebhookSettings{
		Format: "standard", Address: []byte{1, 2}, DisplayAddress: "https://ops.example/…", Events: []string{"*"}, Language: "en", Order: domain.Ordered,
	}}
}

func drawAgreement(t *rapid.T, who domain.PartnerID) domain.Command {
	agreement := domain.AgreementID(fmt.Sprintf("a%d", rapid.IntRange(0, 2).Draw(t, "agreement")))
	title := rapid.SampledFrom([]string{"One", "Two <&>", "三"}).Draw(t, "title")
	item := rapid.SampledFrom([]domain.ItemID{"s0", "s1"}).Draw(t, "item")
	number := rapid.IntRange(1, 3).Draw(t, "number")
	parties := rapid.SampledFrom([][]domain.PartnerID{{"sony", "xiaomi"}, {"sony", "xiaomi", "nokia"}, {"sony", "nokia"}}).Draw(t, "parties")
	return rapid.SampledFrom([]domain.Command{
		domain.EditAgreement{AgreementID: agreement, Title: &title},
		domain.EditAgreement{AgreementID: "a2", Parties: &parties},
		domain.RenameParty{AgreementID: agreement, Rename: domain.PartyRename{Party: who, Number: number, From: "Old", To: "New " + title}},
		domain.SignAgreement{AgreementID: agreement, Signatory: "Chief executive"},
		domain.NameContactPersons{AgreementID: agreement, Members: rapid.SampledFrom([][]domain.MemberID{{"anna"}, {"li", "anna"}, nil}).Draw(t, "persons")},
		domain.AddInstrument{AgreementID: agreement, Instrument: domain.Instrument{
			ID: "i1", Kind: domain.PatentAssignment, Title: "Patents", EffectiveOn: domain.NewDate(2017, 7, 1), Disclosure: domain.Undisclosed,
			Roles:    map[domain.RoleName][]domain.PartnerID{domain.Assignor: {who}, domain.Assignee: {"sony"}},
			Schedule: []domain.ScheduleItem{{ID: "s1", Title: "Family", Count: 3}},
		}},
		domain.NoteInstrument{AgreementID: agreement, Instrument: "i0", Note: string(who) + " keeps it in safe " + title},
		domain.MoveItem{AgreementID: agreement, Instrument: "i0", Item: item, State: domain.ItemDelivered},
		domain.MoveItem{AgreementID: agreement, Instrument: "i0", Item: item, State: domain.ItemDelivered},
		domain.MoveItem{AgreementID: agreement, Instrument: "i1", Item: "s1", State: domain.ItemRecorded},
		domain.MoveItem{AgreementID: "a1", Instrument: "i2", Item: "s2", State: domain.ItemDelivered, Quantity: rapid.IntRange(1, 3).Draw(t, "quantity")},
	}).Draw(t, "change")
}

func drawAmendment(t *rapid.T, who domain.PartnerID) domain.Command {
	agreement := domain.AgreementID(fmt.Sprintf("a%d", rapid.IntRange(0, 1).Draw(t, "agreement")))
	number, days := rapid.IntRange(1, 3).Draw(t, "number"), rapid.IntRange(5, 7).Draw(t, "days")
	propose := func(changes domain.AmendmentChanges) domain.Command {
		return domain.ProposeAmendment{AgreementID: agreement, Key: "a-" + string(who), Title: "Otherwise", Changes: changes}
	}
	return rapid.SampledFrom([]domain.Command{
		propose(domain.AmendmentChanges{Terms: domain.TermsChange{AcceptanceDays: &days, Title: new(fmt.Sprint("Agreement of ", days, " days"))}}),
		propose(domain.AmendmentChanges{
			Join: []domain.Joining{{Partner: "sony"}}, EndInstruments: []domain.InstrumentEnd{{ID: "i1", ExpiresOn: 20180704}},
			AddInstruments: []domain.Instrument{{ID: "i9", Kind: domain.Exploration, Title: "More", EffectiveOn: 20170705, Disclosure: domain.Undisclosed}},
		}),
		propose(domain.AmendmentChanges{Join: []domain.Joining{{Partner: "sony"}}}),
		domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreement, Number: number}, Signatory: "Chief executive"},
		domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreement, Number: number}, Signatory: "Chief executive"},
		domain.SignAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreement, Number: number}, Signatory: "Chief executive"},
		domain.RejectAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreement, Number: number}, Reason: "no"},
		domain.WithdrawAmendment{AmendmentRef: domain.AmendmentRef{Agreement: agreement, Number: number}},
		domain.TerminateAgreement{AgreementID: agreement, Mode: domain.Mutual, EffectiveOn: domain.NewDate(2017, 7, days)},
		domain.TerminateAgreement{AgreementID: agreement, Mode: domain.ByNotice, Reason: "enough", EffectiveOn: 20170705},
	}).Draw(t, "amendment")
}

func drawProject(t *rapid.T) domain.Command {
	agreement := domain.AgreementID(fmt.Sprintf("a%d", rapid.IntRange(0, 2).Draw(t, "agreement")))
	parties := rapid.SampledFrom([][]domain.PartnerID{{"nokia", "xiaomi"}, {"nokia", "xiaomi", "sony"}, {"xiaomi", "sony"}}).Draw(t, "participants")
	ref := domain.ProjectRef{Agreement: agreement, Project: domain.ProjectID(fmt.Sprintf("p%d", rapid.IntRange(0, 1).Draw(t, "project")))}
	title := rapid.SampledFrom([]string{"Optics", "IoT"}).Draw(t, "title")
	day := domain.NewDate(2017, 9, rapid.IntRange(1, 3).Draw(t, "day"))
	move := rapid.SampledFrom([]domain.StageMove{domain.MoveCommit, domain.MoveStart, domain.MovePause, domain.MoveResume, domain.MoveComplete, domain.MoveStop}).Draw(t, "move")
	leave := domain.CallStage{ProjectRef: ref, Move: domain.MoveLeave, Leaving: rapid.SampledFrom([]domain.PartnerID{"", "sony", "sony"}).Draw(t, "leaving")}
	return rapid.SampledFrom([]domain.Command{
		domain.CreateProject{ProjectRef: ref, Title: title, Stage: domain.Exploring, Lead: parties[0], Participants: parties, DecideBy: day},
		domain.EditProject{ProjectRef: ref, Title: &title},
		domain.EditProject{ProjectRef: ref, DecideBy: &day},
		domain.EditProject{ProjectRef: ref, Participants: &[]domain.PartnerID{"nokia", "xiaomi", "sony"}},
		domain.EditProject{ProjectRef: ref, Participants: &[]domain.PartnerID{"nokia", "xiaomi", "sony"}},
		domain.CallStage{ProjectRef: ref, Move: move, Reason: "because"},
		domain.CallStage{ProjectRef: ref, Move: move, Withdraw: true},
		domain.CallStage{ProjectRef: ref, Move: domain.MoveDecline, Reason: "no budget"},
		domain.CallStage{ProjectRef: ref, Move: domain.MoveChangeLead, Lead: parties[1]},
		leave, leave,
	}).Draw(t, "change")
}

func drawChange(t *rapid.T, who domain.PartnerID) domain.Command {
	ref := domain.ProjectRef{Agreement: domain.AgreementID(fmt.Sprintf("a%d", rapid.IntRange(0, 1).Draw(t, "agreement"))), Project: "p0"}
	number := rapid.IntRange(1, 3).Draw(t, "number")
	wanted := domain.WantedChange{Milestone: rapid.SampledFrom(append(sharedIDs(), secretIDs(who)...)).Draw(t, "milestone")}
	later := wanted
	later.To.DueOn = domain.NewDate(2017, 7, rapid.IntRange(2, 20).Draw(t, "day"))
	never := wanted
	never.Cancel = true
	propose := func(w domain.WantedChange) domain.Command {
		return domain.ProposeChange{ProjectRef: ref, Reason: "so be it", Milestones: []domain.WantedChange{w}}
	}
	return rapid.SampledFrom([]domain.Command{
		propose(wanted), propose(later), propose(never),
		domain.ProposeChange{ProjectRef: ref, Reason: "tell everybody", Publish: []domain.MilestoneID{wanted.Milestone}},
		domain.ApproveChange{ChangeRef: domain.ChangeRef{ProjectRef: ref, Number: number}},
		domain.ApproveChange{ChangeRef: domain.ChangeRef{ProjectRef: ref, Number: number}},
		domain.ApproveChange{ChangeRef: domain.ChangeRef{ProjectRef: ref, Number: number}},
		domain.RejectChange{ChangeRef: domain.ChangeRef{ProjectRef: ref, Number: number}, Reason: "no"},
		domain.WithdrawChange{ChangeRef: domain.ChangeRef{ProjectRef: ref, Number: number}},
	}).Draw(t, "change control")
}

func sharedIDs() []domain.MilestoneID { return []domain.MilestoneID{"m0", "m1", "m2"} }

// secretIDs returns the ids of a partner's private milestones. Their random suffixes keep other partners from
// using the same ids.
func secretIDs(who domain.PartnerID) []domain.MilestoneID {
	return []domain.MilestoneID{domain.MilestoneID(who) + "-s0", domain.MilestoneID(who) + "-s1"}
}

func drawMilestone(t *rapid.T, who domain.PartnerID) domain.Command {
	ref := domain.MilestoneRef{
		Agreement: domain.AgreementID(fmt.Sprintf("a%d", rapid.IntRange(0, 1).Draw(t, "agreement"))), Project: "p0",
		Milestone: rapid.SampledFrom(append(sharedIDs(), secretIDs(who)...)).Draw(t, "milestone"),
	}
	_, secret := slices.BinarySearch(secretIDs(who), ref.Milestone)
	day := domain.NewDate(2017, 7, rapid.IntRange(2, 20).Draw(t, "day"))
	private := rapid.Bool().Draw(t, "private")
	secretNote := fmt.Sprintf("%s doubts %s", who, day)
	evidence := []domain.Evidence{{Title: "Report", URL: "https://files.example/report"}}
	kept := []domain.Evidence{{Title: "Yield of " + string(who), URL: "https://files.example/" + day.String()}}
	percent, health, note := rapid.IntRange(0, 100).Draw(t, "percent"), domain.Amber, "so so"
	plan := domain.Plan{Title: fmt.Sprintf("Milestone %s until %s", ref.Milestone, day), Owner: who, DueOn: day, Criteria: []string{"it works"}}
	if rapid.Bool().Draw(t, "serves") {
		plan.Instrument, plan.ScheduleItem, plan.Clause = "i0", rapid.SampledFrom([]domain.ItemID{"", "s0", "s1"}).Draw(t, "item"), "1"
	}
	return rapid.SampledFrom([]domain.Command{
		domain.EditMilestone{MilestoneRef: ref, Instrument: &plan.Instrument, ScheduleItem: &plan.ScheduleItem, Clause: &plan.Clause},
		domain.PlanMilestone{MilestoneRef: ref, Plan: plan, Private: secret},
		domain.EditMilestone{MilestoneRef: ref, Title: &plan.Title},
		domain.EditMilestone{MilestoneRef: ref, DueOn: &day, Title: &plan.Title},
		domain.StartMilestone{MilestoneRef: ref},
		domain.StartMilestone{MilestoneRef: ref},
		domain.ReportProgress{MilestoneRef: ref, Percent: &percent, Health: &health, Note: &note},
		domain.ReportProgress{MilestoneRef: ref, Health: &health, Note: &secretNote, Private: true},
		domain.MoveForecast{MilestoneRef: ref, On: day, Reason: "optics late", Private: private},
		domain.DeliverMilestone{MilestoneRef: ref, Evidence: evidence},
		domain.DeliverMilestone{MilestoneRef: ref, Evidence: evidence, PrivateEvidence: kept},
		domain.CompleteMilestone{MilestoneRef: ref},
		domain.WithdrawDelivery{MilestoneRef: ref},
		domain.AcceptMilestone{MilestoneRef: ref, Note: "well done"},
		domain.AcceptMilestone{MilestoneRef: ref, Conditions: []domain.Requirement{{Text: "a report", DueOn: day}, {Text: "spares", DueOn: 20180101}}},
		domain.CloseCondition{MilestoneRef: ref, Number: rapid.IntRange(1, 3).Draw(t, "number")},
		domain.MeetCondition{MilestoneRef: ref, Number: rapid.IntRange(1, 3).Draw(t, "met"), Note: "see the report", Evidence: evidence},
		domain.RefuseCondition{MilestoneRef: ref, Number: rapid.IntRange(1, 3).Draw(t, "refused"), Reason: "no page 3", Evidence: evidence},
		domain.DisputeMilestone{MilestoneRef: ref, Reason: "there is none", Condition: rapid.IntRange(1, 3).Draw(t, "disputed")},
		domain.CheckCriterion{MilestoneRef: ref, Number: 1, Result: rapid.SampledFrom(domain.CheckResults()).Draw(t, "result"), Evidence: evidence},
		domain.RejectMilestone{MilestoneRef: ref, Reasons: []string{"too slow", "too hot"}, Evidence: evidence},
		domain.RejectMilestone{MilestoneRef: ref, Reasons: []string{"too loud"}},
		domain.DisputeMilestone{MilestoneRef: ref, Reason: "it is fast"},
		domain.SettleMilestone{MilestoneRef: ref, Settlement: rapid.SampledFrom(domain.Settlements()).Draw(t, "outcome"), Note: "as you like"},
		domain.CancelMilestone{MilestoneRef: ref, Reason: "not needed"},
		domain.WaiveMilestone{MilestoneRef: ref},
		domain.ShareMilestone{MilestoneRef: ref},
		domain.CommentMilestone{MilestoneRef: ref, Text: "hm", Private: private},
		domain.NameResponsible{MilestoneRef: ref, Member: rapid.SampledFrom([]domain.MemberID{"anna", ""}).Draw(t, "responsible")},
	}).Draw(t, "act")
}
