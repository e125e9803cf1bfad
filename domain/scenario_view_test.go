package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// eventLine writes an event as "milestone.delivered fp4-trial on=2018-03-29 round=1". Of an event with old and
// new values it shows the differences.
func eventLine(t require.TestingT, event Event) string {
	stored, data, err := EncodeEvent(event.Payload)
	require.NoError(t, err)
	words := []string{PublicType(stored)}
	if event.Subject != "" {
		words = append(words, event.Subject)
	}
	words = append(words, factWords(data)...)
	if partner, private := event.Audience.Private(); private {
		words = append(words, fmt.Sprintf("(only %s sees this)", partner))
	}
	if event.Audience == Public {
		words = append(words, "(everybody sees this)")
	}
	return strings.Join(words, " ")
}

func factWords(data []byte) []string {
	facts := leaves(data, "")
	var words []string
	for _, f := range facts {
		if strings.HasSuffix(f.name, "_sha256") {
			continue // of canonical terms, which have a test of their own
		}
		name, after := strings.CutPrefix(f.name, "to.")
		before, has := valueOf(facts, "from."+name)
		switch {
		case after && has && before == f.value:
		case after && has:
			words = append(words, name+"="+before+"→"+f.value)
		case strings.HasPrefix(f.name, "from."):
			if _, kept := valueOf(facts, "to."+strings.TrimPrefix(f.name, "from.")); !kept {
				words = append(words, strings.TrimPrefix(f.name, "from.")+"="+f.value+"→")
			}
		default:
			words = append(words, f.name[strings.LastIndexByte(f.name, '.')+1:]+"="+f.value)
		}
	}
	return words
}

type fact struct{ name, value string }

func valueOf(facts []fact, name string) (string, bool) {
	for _, f := range facts {
		if f.name == name {
			return f.value, true
		}
	}
	return "", false
}

// leaves returns the plain values in a JSON object, in order, each with its path.
func leaves(data []byte, path string) []fact {
	decoder := json.NewDecoder(bytes.NewReader(data))
	var facts []fact
	for depth := 0; ; {
		token, err := decoder.Token()
		if err == io.EOF {
			return facts
		}
		if delim, ok := token.(json.Delim); ok {
			depth += map[json.Delim]int{'{': 1, '}': -1}[delim]
			continue
		}
		name := path + token.(string)
		var value json.RawMessage
		_ = decoder.Decode(&value)
		if value[0] == '{' {
			facts = append(facts, leaves(value, name+".")...)
			continue
		}
		facts = append(facts, fact{name, plain(value)})
	}
}

// partWords writes the values of an object within an event: "due_on 2018-03-30→2018-04-30" for an old and a new value,
// or one value if both are the same.
func partWords(facts []fact) []string {
	words := []string{}
	for _, f := range facts {
		name, before := strings.CutPrefix(f.name, "from.")
		after, changes := valueOf(facts, "to."+name)
		switch {
		case strings.HasPrefix(f.name, "to."):
		case before && changes && after != f.value:
			words = append(words, name+" "+f.value+"→"+after)
		case !before || (f.value != "" && f.value != `""`):
			words = append(words, name+" "+f.value)
		}
	}
	return words
}

var bare = regexp.MustCompile(`^[^\s"]+$`)

// plain writes a value with few quotes.
func plain(value json.RawMessage) string {
	var list []json.RawMessage
	if json.Unmarshal(value, &list) == nil && value[0] == '[' {
		words := make([]string, len(list))
		for i, x := range list {
			words[i] = plain(x)
		}
		return strings.Join(words, ",")
	}
	if value[0] == '{' {
		return "{" + strings.Join(partWords(leaves(value, "")), ", ") + "}"
	}
	var text string
	if json.Unmarshal(value, &text) != nil || !bare.MatchString(text) {
		return string(value)
	}
	return text
}

var thenLine = regexp.MustCompile(`^([a-z0-9-]+) sees (notice|webhook|agreement|amendment|project|change|milestone) (\S+)$`)

// then plays a line such as "xiaomi sees milestone ip-routing/fp4-trial".
func (s *scenario) then(rest string) []string {
	parts := thenLine.FindStringSubmatch(rest)
	require.NotNil(s.t, parts, "cannot read: then %s", rest)
	partner := PartnerID(parts[1])
	var seen string
	switch parts[2] {
	case "notice":
		seen = s.seesNotice(partner, parts[3])
	case "webhook":
		seen = s.seesWebhook(partner, parts[3])
	case "agreement":
		seen = s.seesAgreement(partner, AgreementID(parts[3]))
	case "amendment":
		seen = s.seesAmendment(partner, parts[3])
	case "project":
		seen = s.seesProject(partner, s.project(parts[3]))
	case "change":
		seen = s.seesChange(partner, parts[3])
	case "milestone":
		seen = s.seesMilestone(partner, s.milestone(parts[3]))
	}
	return []string{"== " + seen}
}

const nothingSeen = "nothing"

func (s *scenario) seesAgreement(partner PartnerID, id AgreementID) string {
	agreement := s.ledger.plain.Agreement(id)
	if agreement == nil || !agreement.VisibleTo(partner) {
		return nothingSeen
	}
	at := s.today.Time().Add(12 * time.Hour)
	agreement = agreement.ViewFor(partner, at)
	words := []string{string(agreement.State(at)), "between " + join(agreement.Terms.Parties)}
	if agreement.Termination.On != 0 {
		words = append(words, fmt.Sprintf("ends by %s on %s", agreement.Termination.Mode, agreement.Termination.On))
	}
	for _, call := range agreement.TerminationCalls {
		words = append(words, fmt.Sprintf("%s calls an end on %s", call.Partner, call.On))
	}
	for _, notice := range agreement.TerminationNotices {
		words = append(words, fmt.Sprintf("%s leaves on %s", notice.Partner, notice.On))
	}
	for _, persons := range agreement.ContactPersons {
		if !agreement.Party(partner) {
			continue
		}
		words = append(words, fmt.Sprintf("%v contacts of %s", persons.Members, persons.Partner))
	}
	if len(agreement.Signatures) > 0 {
		words = append(words, "signed by "+join(agreement.signers()))
	}
	for _, whole := range agreement.Instruments {
		instrument := agreement.DisclosedInstrument(&whole, partner)
		words = append(words, instrumentWords(instrument))
		words = append(words, itemWords(agreement, instrument)...)
		if note := agreement.Note(instrument.ID, partner); note != "" {
			words = append(words, "private note "+note)
		}
	}
	return strings.Join(append(words, version(agreement.Versions, partner)), ", ")
}

func instrumentWords(instrument Instrument) string {
	switch instrument.Detail() {
	case DetailKind:
		return fmt.Sprintf("an %s %s", instrument.Disclosure, instrument.Kind)
	case DetailSummary:
		return fmt.Sprintf("summary of instrument %s %s %s", instrument.ID, instrument.Kind, instrument.Disclosure)
	}
	return fmt.Sprintf("instrument %s %s %s", instrument.ID, instrument.Kind, instrument.Disclosure)
}

// seesNotice shows a notice, named as "partner/notice".
func (s *scenario) seesNotice(p PartnerID, path string) string {
	of, id, _ := strings.Cut(path, "/")
	if partner := s.ledger.plain.Partner(p); partner == nil || p != PartnerID(of) || !(DismissNotice{Notice: NoticeID(id)}).noticeExists(s.ledger.plain, partner) {
		return nothingSeen
	}
	return "a notice"
}

// seesWebhook shows a webhook, named as "partner/webhook".
func (s *scenario) seesWebhook(partner PartnerID, path string) string {
	of, id, _ := strings.Cut(path, "/")
	webhook := s.ledger.plain.Webhook(WebhookRef{PartnerID(of), WebhookID(id)})
	if webhook == nil || webhook.Removed || partner != PartnerID(of) {
		return nothingSeen
	}
	words := []string{fmt.Sprintf("%s to %s", webhook.Settings.Format, webhook.Settings.DisplayAddress)}
	if webhook.DisabledReason != "" {
		words = append(words, fmt.Sprintf("disabled since %s: %s", webhook.DisabledAt.Format(time.DateOnly), webhook.DisabledReason))
	}
	if len(webhook.PreviousSecret) > 0 {
		words = append(words, "the old secret signs until "+webhook.PreviousUntil.Format(time.RFC3339))
	}
	for _, request := range webhook.Requests {
		words = append(words, fmt.Sprintf("request %d: %s", request.Number, request.Kind))
	}
	return strings.Join(append(words, version(webhook.Versions, partner)), ", ")
}

// seesAmendment shows an amendment, named as "agreement/number".
func (s *scenario) seesAmendment(partner PartnerID, path string) string {
	id, text, _ := strings.Cut(path, "/")
	number, err := strconv.Atoi(text)
	require.NoError(s.t, err)
	agreement := s.ledger.plain.Agreement(AgreementID(id))
	if agreement == nil || !agreement.VisibleTo(partner) || agreement.Amendment(number) == nil || !agreement.AmendmentVisibleTo(agreement.Amendment(number), partner, s.meta(partner).At) {
		return nothingSeen
	}
	amendment := agreement.Amendment(number)
	words := []string{string(amendment.State), "proposed by " + string(amendment.ProposedBy)}
	for _, signer := range amendment.RequiredSigners() {
		switch {
		case amendment.signed(signer):
			words = append(words, string(signer)+" signed")
		case amendment.Awaits(signer):
			words = append(words, string(signer)+" pending")
		case amendment.State == AmendmentStateOpen:
			words = append(words, string(signer)+" not invited yet")
		}
	}
	if amendment.State == AmendmentStateVoid {
		words = append(words, strings.Join(strings.Fields(fmt.Sprintf("%s %s changed", amendment.VoidGround.Field, amendment.VoidGround.Instrument)), " "))
	}
	return strings.Join(append(words, version(amendment.Versions, partner)), ", ")
}

// itemWords lists what has been stated about the schedule items.
func itemWords(agreement *Agreement, instrument Instrument) []string {
	var words []string
	for _, item := range instrument.Schedule {
		progress := agreement.ItemProgress(instrument.ID, item.ID)
		if progress.Delivered != 0 {
			words = append(words, strings.TrimSpace(fmt.Sprintf("item %s %d of %d %s", item.ID, progress.Delivered, item.Total(), item.Unit)))
		}
		if progress.DeliveredOn != 0 {
			words = append(words, fmt.Sprintf("item %s delivered on %s", item.ID, progress.DeliveredOn))
		}
		if recorded := progress.Recordation; recorded.On != 0 {
			line := fmt.Sprintf("item %s recorded on %s %s %s %s %s", item.ID, recorded.On, recorded.Office, recorded.Number, recorded.OldHolder, recorded.NewHolder)
			words = append(words, strings.Join(strings.Fields(line), " "))
		}
	}
	return words
}

func version(seen Versions, partner PartnerID) string {
	n, _ := seen.For(partner)
	return fmt.Sprintf("version %d", n)
}

func (s *scenario) seesProject(partner PartnerID, ref ProjectRef) string {
	x := s.ledger.plain.Project(ref)
	if x == nil || !x.Participant(partner) {
		return nothingSeen
	}
	words := []string{string(x.Stage), "lead " + string(x.Lead)}
	if x.LeadNomination != nil {
		words[1] += " as " + string(x.LeadNomination.By) + " proposes"
	}
	if x.DecideBy != 0 && x.Stage.Tentative() {
		words = append(words, "decide by "+x.DecideBy.String())
	}
	for _, call := range x.Calls {
		called := fmt.Sprintf("%s called %s %s%s%s%s", call.Partner, call.Move, call.DecideBy, join(call.Add), call.Lead, call.Leaving)
		for _, disposition := range call.Dispositions {
			called += fmt.Sprintf(" %s %s", disposition.Milestone, disposition.State)
		}
		if call.Edit != nil {
			called += fmt.Sprintf(" to %q", call.Edit.To.Title)
		}
		words = append(words, strings.Join(strings.Fields(called), " "))
	}
	return strings.Join(append(words, version(x.Versions, partner)), ", ")
}

// seesChange shows a change request, named as "project/number".
func (s *scenario) seesChange(partner PartnerID, path string) string {
	i := strings.LastIndexByte(path, '/')
	ref := s.project(path[:i])
	x := s.ledger.plain.Project(ref)
	number, err := strconv.Atoi(path[i+1:])
	require.NoError(s.t, err)
	if x == nil || !x.Participant(partner) || x.Change(number) == nil || !x.Change(number).VisibleTo(partner) {
		return nothingSeen
	}
	change := x.Change(number)
	words := []string{string(change.State), "proposed by " + string(change.ProposedBy)}
	for _, party := range change.Parties(s.ledger.plain, ref) {
		if slices.Contains(change.Approvals, party) {
			words = append(words, string(party)+" approved")
		} else if change.Awaits(party, s.ledger.plain, ref) {
			words = append(words, string(party)+" pending")
		}
	}
	if change.State == ChangeStateVoid {
		words = append(words, fmt.Sprintf("%s of %s changed", change.VoidGround.Field, change.VoidGround.Milestone))
	}
	return strings.Join(append(words, version(change.Versions, partner)), ", ")
}

// deliveryWords describes the evidence and the decisions of a delivery, as far as the partner sees them.
func deliveryWords(milestone *Milestone, partner PartnerID) (words []string) {
	for _, evidence := range milestone.Evidence {
		words = append(words, "evidence "+evidence.Title)
	}
	for _, evidence := range milestone.PrivateEvidenceOf(partner) {
		words = append(words, "private evidence "+evidence.Title)
	}
	for _, decision := range milestone.Decisions {
		words = append(words, fmt.Sprintf("%s %s", decision.Partner, decision.State))
	}
	return words
}

func (s *scenario) seesMilestone(partner PartnerID, ref MilestoneRef) string {
	project, milestone := s.ledger.plain.Project(ref.ProjectRef()), s.ledger.plain.Milestone(ref)
	if project == nil || milestone == nil || !milestone.VisibleTo(partner, project) {
		return nothingSeen
	}
	words := []string{string(milestone.State), fmt.Sprintf("owner %s, due %s", milestone.Plan.Owner, milestone.Plan.DueOn)}
	if milestone.BaselineOn != 0 {
		words[1] += " as agreed"
	}
	if !milestone.OwnerAgreed() {
		words[1] += ", waits for its owner's agreement"
	}
	if milestone.Plan.Title != "Milestone" {
		words = append(words, "titled "+milestone.Plan.Title)
	}
	if days, has := milestone.Variance(); has && days != 0 {
		words = append(words, fmt.Sprintf("%+d days", days))
	}
	agreement := s.ledger.plain.Agreement(ref.Agreement)
	ended := milestone.Ended(project, agreement, s.meta(partner).At)
	if report := milestone.Report(ended); milestone.LastReport != (Report{}) {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%d %% %s %s", report.Percent, report.Health, report.Note)))
	}
	if assessment := milestone.Assessment(partner, ended); assessment.Partner != "" {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%s assesses it privately: %s %s", partner, assessment.Health, assessment.Note)))
	}
	words = append(words, forecastWords(milestone, partner, agreement, ended)...)
	words = append(words, deliveryWords(milestone, partner)...)
	words = append(words, roundWords(milestone, s.meta(partner).At)...)
	for _, w := range milestone.Waivers {
		words = append(words, string(w)+" waived")
	}
	for _, check := range milestone.Checks {
		words = append(words, fmt.Sprintf("criterion %d %s by %s in round %d", check.Number, check.Result, check.Partner, check.Round))
	}
	for _, responsible := range milestone.Responsible {
		words = append(words, fmt.Sprintf("%s responsible for %s", responsible.Member, responsible.Partner))
	}
	words = append(words, dateWords(milestone)...)
	words = append(words, listingWords(milestone, project, ended, s.today)...)
	return strings.Join(append(words, version(milestone.Versions, partner)), ", ")
}

// dateWords shows the claimed dates and why one was recorded late.
func dateWords(milestone *Milestone) (words []string) {
	if milestone.CompletedOn != 0 {
		words = append(words, "completed on "+milestone.CompletedOn.String())
	}
	if milestone.LateReason != "" && milestone.DeliveredOn+milestone.CompletedOn != 0 {
		words = append(words, "recorded late: "+milestone.LateReason)
	}
	return words
}

func listingWords(milestone *Milestone, project *Project, ended bool, today Date) (words []string) {
	switch {
	case ended && project.Stage.Final():
		words = append(words, "ended with the project")
	case ended:
		words = append(words, "ended with the agreement")
	case milestone.Overdue(today):
		words = append(words, "overdue")
	}
	if milestone.Public {
		words = append(words, "public")
	}
	return words
}

// roundWords lists conditions and disputes.
func roundWords(milestone *Milestone, at time.Time) []string {
	var words []string
	for _, condition := range milestone.Conditions {
		fate := string(condition.State()) + ", due " + condition.DueOn.String()
		if condition.ClosedOn != 0 {
			fate = "closed on " + condition.ClosedOn.String()
		}
		if milestone.Dispute == nil && condition.Disputable(at) {
			fate += ", can be disputed"
		}
		words = append(words, fmt.Sprintf("condition %d of %s %s", condition.Number, condition.Author, fate))
	}
	if rejection := milestone.DisputableRejection(at); rejection != nil {
		words = append(words, strings.TrimSuffix("can be disputed until "+rejection.DisputeBy.String(), " until "))
	}
	if d := milestone.Dispute; d != nil {
		words = append(words, fmt.Sprintf("disputed by %s", d.By))
		for _, choice := range d.Choices {
			words = append(words, fmt.Sprintf("%s names %s", choice.Partner, choice.Settlement))
		}
	}
	return words
}

func forecastWords(milestone *Milestone, partner PartnerID, agreement *Agreement, ended bool) []string {
	var words []string
	for _, forecast := range slices.Concat(milestone.Forecasts, []Forecast{milestone.PrivateForecast(partner)}) {
		if forecast.On != 0 {
			words = append(words, fmt.Sprintf("%s expects %s", forecast.Partner, forecast.On))
		}
	}
	if forecast := milestone.PrivateForecast(partner); forecast.On != 0 {
		words[len(words)-1] += " privately"
	}
	if milestone.ForecastsDisagree(agreement.Terms.ForecastToleranceDays, ended) {
		words = append(words, "disagreement")
	}
	return words
}
