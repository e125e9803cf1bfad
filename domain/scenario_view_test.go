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

// eventLine writes an event as "milestone.delivered fp4-trial on=2018-03-29 round=1". Of an event
// that tells before and after it shows what differs.
func eventLine(t require.TestingT, e Event) string {
	stored, data, err := EncodeEvent(e.Payload)
	require.NoError(t, err)
	words := []string{PublicType(stored)}
	if e.Subject != "" {
		words = append(words, e.Subject)
	}
	words = append(words, factWords(data)...)
	if p, private := e.Audience.Private(); private {
		words = append(words, fmt.Sprintf("(only %s sees this)", p))
	}
	if e.Audience == Public {
		words = append(words, "(everybody sees this)")
	}
	return strings.Join(words, " ")
}

func factWords(data []byte) []string {
	facts := leaves(data, "")
	var words []string
	for _, f := range facts {
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
	d := json.NewDecoder(bytes.NewReader(data))
	var facts []fact
	for depth := 0; ; {
		token, err := d.Token()
		if err == io.EOF {
			return facts
		}
		if delim, ok := token.(json.Delim); ok {
			depth += map[json.Delim]int{'{': 1, '}': -1}[delim]
			continue
		}
		name := path + token.(string)
		var value json.RawMessage
		_ = d.Decode(&value)
		if value[0] == '{' {
			facts = append(facts, leaves(value, name+".")...)
			continue
		}
		facts = append(facts, fact{name, plain(value)})
	}
}

var bare = regexp.MustCompile(`^[^\s"]+$`)

// plain writes a value without more quotes than it needs.
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
		words := []string{}
		for _, f := range leaves(value, "") {
			words = append(words, f.name+" "+f.value)
		}
		return "{" + strings.Join(words, ", ") + "}"
	}
	var s string
	if json.Unmarshal(value, &s) != nil || !bare.MatchString(s) {
		return string(value)
	}
	return s
}

var thenLine = regexp.MustCompile(`^([a-z0-9-]+) sees (notice|webhook|agreement|amendment|project|change|milestone) (\S+)$`)

// then plays a line such as "xiaomi sees milestone ip-routing/fp4-trial".
func (s *scenario) then(rest string) []string {
	parts := thenLine.FindStringSubmatch(rest)
	require.NotNil(s.t, parts, "cannot read: then %s", rest)
	p := PartnerID(parts[1])
	var seen string
	switch parts[2] {
	case "notice":
		seen = s.seesNotice(p, parts[3])
	case "webhook":
		seen = s.seesWebhook(p, parts[3])
	case "agreement":
		seen = s.seesAgreement(p, AgreementID(parts[3]))
	case "amendment":
		seen = s.seesAmendment(p, parts[3])
	case "project":
		seen = s.seesProject(p, s.project(parts[3]))
	case "change":
		seen = s.seesChange(p, parts[3])
	case "milestone":
		seen = s.seesMilestone(p, s.milestone(parts[3]))
	}
	return []string{"== " + seen}
}

const nothingSeen = "nothing"

func (s *scenario) seesAgreement(p PartnerID, id AgreementID) string {
	a := s.ledger.plain.Agreement(id)
	if a == nil || !a.Sees(p) {
		return nothingSeen
	}
	at := s.today.Time().Add(12 * time.Hour)
	a = a.As(p, at)
	words := []string{string(a.State(at)), "between " + join(a.Terms.Parties)}
	if a.Ending.On != 0 {
		words = append(words, fmt.Sprintf("ends by %s on %s", a.Ending.Mode, a.Ending.On))
	}
	for _, c := range a.EndCalls {
		words = append(words, fmt.Sprintf("%s calls an end on %s", c.Partner, c.On))
	}
	for _, n := range a.Notices {
		words = append(words, fmt.Sprintf("%s leaves on %s", n.Partner, n.On))
	}
	if len(a.Signatures) > 0 {
		words = append(words, "signed by "+join(a.signers()))
	}
	for _, i := range a.Instruments {
		words = append(words, fmt.Sprintf("instrument %s %s %s", i.ID, i.Kind, i.Disclosure))
		words = append(words, itemWords(a, i)...)
		if note := a.Note(i.ID, p); note != "" {
			words = append(words, "private note "+note)
		}
	}
	return strings.Join(append(words, version(a.Seen, p)), ", ")
}

// seesNotice tells whether there is a notice, named as "partner/notice".
func (s *scenario) seesNotice(p PartnerID, path string) string {
	of, id, _ := strings.Cut(path, "/")
	if x := s.ledger.plain.Partner(p); x == nil || p != PartnerID(of) || !announced(s.ledger.plain, x, NoticeID(id)) {
		return nothingSeen
	}
	return "a notice"
}

// seesWebhook tells of a webhook, named as "partner/webhook".
func (s *scenario) seesWebhook(p PartnerID, path string) string {
	of, id, _ := strings.Cut(path, "/")
	x := s.ledger.plain.Webhook(WebhookRef{PartnerID(of), WebhookID(id)})
	if x == nil || x.Removed || p != PartnerID(of) {
		return nothingSeen
	}
	words := []string{fmt.Sprintf("%s to %s", x.Settings.Format, x.Settings.Place)}
	if x.Disabled != "" {
		words = append(words, fmt.Sprintf("disabled since %s: %s", x.Halted.Format(time.DateOnly), x.Disabled))
	}
	if len(x.Old) > 0 {
		words = append(words, "the old secret signs until "+x.OldUntil.Format(time.RFC3339))
	}
	for _, r := range x.Requests {
		words = append(words, fmt.Sprintf("request %d: %s", r.Number, r.Kind))
	}
	return strings.Join(append(words, version(x.Seen, p)), ", ")
}

// seesAmendment tells of an amendment, named as "agreement/number".
func (s *scenario) seesAmendment(p PartnerID, path string) string {
	id, text, _ := strings.Cut(path, "/")
	number, err := strconv.Atoi(text)
	require.NoError(s.t, err)
	a := s.ledger.plain.Agreement(AgreementID(id))
	if a == nil || !a.Sees(p) || a.Amendment(number) == nil || !a.Shows(a.Amendment(number), p, s.meta(p).At) {
		return nothingSeen
	}
	x := a.Amendment(number)
	words := []string{string(x.State), "proposed by " + string(x.By)}
	for _, signer := range x.Signers() {
		switch {
		case x.Signed(signer):
			words = append(words, string(signer)+" signed")
		case x.Awaits(signer):
			words = append(words, string(signer)+" pending")
		case x.State == AmendmentOpen:
			words = append(words, string(signer)+" not invited yet")
		}
	}
	if x.State == AmendmentVoid {
		words = append(words, strings.Join(strings.Fields(fmt.Sprintf("%s %s changed", x.Broken.Field, x.Broken.Instrument)), " "))
	}
	return strings.Join(append(words, version(x.Seen, p)), ", ")
}

// itemWords tells of the schedule items that are not as planned any more.
func itemWords(a *Agreement, i Instrument) []string {
	var words []string
	for _, item := range i.Schedule {
		if state := a.ItemState(i.ID, item.ID); state != ItemPlanned {
			words = append(words, fmt.Sprintf("item %s %s", item.ID, state))
		}
	}
	return words
}

func version(seen Seen, p PartnerID) string {
	n, _ := seen.For(p)
	return fmt.Sprintf("version %d", n)
}

func (s *scenario) seesProject(p PartnerID, ref ProjectRef) string {
	x := s.ledger.plain.Project(ref)
	if x == nil || !x.Participant(p) {
		return nothingSeen
	}
	words := []string{string(x.Stage)}
	if x.DecideBy != 0 && x.Stage == Exploring {
		words = append(words, "decide by "+x.DecideBy.String())
	}
	for _, c := range x.Calls {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%s called %s %s%s", c.Partner, c.Move, c.DecideBy, join(c.Add))))
	}
	return strings.Join(append(words, version(x.Seen, p)), ", ")
}

// seesChange tells of a change request, named as "project/number".
func (s *scenario) seesChange(p PartnerID, path string) string {
	i := strings.LastIndexByte(path, '/')
	ref := s.project(path[:i])
	x := s.ledger.plain.Project(ref)
	number, err := strconv.Atoi(path[i+1:])
	require.NoError(s.t, err)
	if x == nil || !x.Participant(p) || x.Change(number) == nil || !x.Change(number).Sees(p) {
		return nothingSeen
	}
	c := x.Change(number)
	words := []string{string(c.State), "proposed by " + string(c.By)}
	for _, party := range c.Parties(s.ledger.plain, ref) {
		if slices.Contains(c.Approvals, party) {
			words = append(words, string(party)+" approved")
		} else if c.Awaits(party, s.ledger.plain, ref) {
			words = append(words, string(party)+" pending")
		}
	}
	if c.State == ChangeVoid {
		words = append(words, fmt.Sprintf("%s of %s changed", c.Broken.Field, c.Broken.Milestone))
	}
	return strings.Join(append(words, version(c.Seen, p)), ", ")
}

func (s *scenario) seesMilestone(p PartnerID, ref MilestoneRef) string {
	in, x := s.ledger.plain.Project(ref.ProjectRef()), s.ledger.plain.Milestone(ref)
	if in == nil || x == nil || !x.Sees(p, in) {
		return nothingSeen
	}
	words := []string{string(x.State), fmt.Sprintf("owner %s, due %s", x.Plan.Owner, x.Plan.DueOn)}
	if x.BaselineOn != 0 {
		words[1] += " as agreed"
	}
	if days, has := x.Variance(); has && days != 0 {
		words = append(words, fmt.Sprintf("%+d days", days))
	}
	if x.Progress > 0 || x.Health != "" {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%d %% %s %s", x.Progress, x.Health, x.HealthNote)))
	}
	if a := x.Assessment(p); a.Partner != "" {
		words = append(words, strings.TrimSpace(fmt.Sprintf("%s assesses it privately: %s %s", p, a.Health, a.Note)))
	}
	words = append(words, forecastWords(x, p, s.ledger.plain.Agreement(ref.Agreement))...)
	for _, e := range x.Evidence {
		words = append(words, "evidence "+e.Title)
	}
	for _, e := range x.KeptBy(p) {
		words = append(words, "private evidence "+e.Title)
	}
	for _, d := range x.Decisions {
		words = append(words, fmt.Sprintf("%s %s", d.Partner, d.State))
	}
	words = append(words, roundWords(x, s.meta(p).At)...)
	for _, w := range x.Waivers {
		words = append(words, string(w)+" waived")
	}
	if x.Overdue(s.today) {
		words = append(words, "overdue")
	}
	if x.Public {
		words = append(words, "public")
	}
	return strings.Join(append(words, version(x.Seen, p)), ", ")
}

// roundWords tells of conditions and disputes.
func roundWords(x *Milestone, at time.Time) []string {
	var words []string
	for _, c := range x.Conditions {
		fate := "open, due " + c.DueOn.String()
		if c.ClosedOn != 0 {
			fate = "closed on " + c.ClosedOn.String()
		}
		words = append(words, fmt.Sprintf("condition %d of %s %s", c.Number, c.Author, fate))
	}
	if r := x.Disputable(at); r != nil {
		words = append(words, strings.TrimSuffix("can be disputed until "+r.DisputeBy.String(), " until "))
	}
	if d := x.Dispute; d != nil {
		words = append(words, fmt.Sprintf("disputed by %s", d.By))
		for _, n := range d.Named {
			words = append(words, fmt.Sprintf("%s names %s", n.Partner, n.Outcome))
		}
	}
	return words
}

func forecastWords(x *Milestone, p PartnerID, a *Agreement) []string {
	var words []string
	for _, f := range slices.Concat(x.Forecasts, []Forecast{x.PrivateForecast(p)}) {
		if f.On != 0 {
			words = append(words, fmt.Sprintf("%s expects %s", f.Partner, f.On))
		}
	}
	if f := x.PrivateForecast(p); f.On != 0 {
		words[len(words)-1] += " privately"
	}
	if x.Disagreement(a.Terms.ForecastToleranceDays) {
		words = append(words, "disagreement")
	}
	return words
}
