package domain

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"github.com/stretchr/testify/require"
)

// verb is a verb of the scenario files: its command, the entity that its path names, and default fields.
type verb struct {
	command string
	target  string // partner, member, token, webhook, agreement, instrument, item, project or milestone
	usual   string
}

var verbs = map[string]verb{
	"create-partner":     {"partner.create", "partner", "name=Partner country=FI time_zone=Europe/Helsinki keys=key at=9999-01-01T00:00:00Z"},
	"edit-partner":       {"partner.edit", "partner", "keys=key at=9999-01-01T00:00:00Z"},
	"reserve-name":       {"name.reserve", "partner", ""},
	"rename-party":       {"agreement.rename_party", "agreement", "from=From to=To"},
	"create-invitation":  {"partner.create_invitation", "invitation", "hash=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= expires_in_days=14"},
	"revoke-invitation":  {"partner.revoke_invitation", "invitation", ""},
	"redeem":             {"partner.redeem_invitation", "invitation", ""},
	"dismiss":            {"partner.dismiss_notice", "notice", ""},
	"add-member":         {"member.add", "member", "role=manager"},
	"edit-member":        {"member.edit", "member", ""},
	"remove-member":      {"member.remove", "member", ""},
	"issue-token":        {"token.issue", "token", "name=token role=viewer hash=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
	"confirm-token":      {"token.confirm", "token", ""},
	"revoke-token":       {"token.revoke", "token", ""},
	"add-webhook":        {"webhook.add", "webhook", "format=standard address=c2VhbGVk place=https://ops.example/… events=* language=en order=ordered"},
	"edit-webhook":       {"webhook.edit", "webhook", ""},
	"rotate-secret":      {"webhook.rotate_secret", "webhook", "secret=bmV3"},
	"remove-webhook":     {"webhook.remove", "webhook", ""},
	"disable-webhook":    {"webhook.disable", "webhook", ""},
	"enable-webhook":     {"webhook.enable", "webhook", ""},
	"test-webhook":       {"webhook.test", "webhook", ""},
	"redeliver":          {"webhook.redeliver", "webhook", ""},
	"replay":             {"webhook.replay", "webhook", ""},
	"draft":              {"agreement.draft", "agreement", "title=Collaboration effective_on=2017-07-05"},
	"edit-agreement":     {"agreement.edit", "agreement", ""},
	"sign":               {"agreement.sign", "agreement", "signatory=Signatory"},
	"add-instrument":     {"instrument.add", "instrument", "title=Instrument effective_on=2017-07-05 disclosure=disclosed"},
	"edit-instrument":    {"instrument.edit", "item", ""},
	"remove-instrument":  {"instrument.remove", "item", ""},
	"decline":            {"agreement.decline", "agreement", ""},
	"withdraw-agreement": {"agreement.withdraw", "agreement", ""},
	"move-item":          {"instrument.move_item", "item", ""},
	"note":               {"instrument.note", "item", ""},
	"create-project":     {"project.create", "project", "title=Project decide_by=2018-06-30"},
	"edit-project":       {"project.edit", "project", ""},
	"commit":             {"project.call", "project", "move=commit"},
	"decline-project":    {"project.call", "project", "move=decline"},
	"change-lead":        {"project.call", "project", "move=change_lead"},
	"leave":              {"project.call", "project", "move=leave"},
	"start-project":      {"project.call", "project", "move=start"},
	"pause":              {"project.call", "project", "move=pause"},
	"resume":             {"project.call", "project", "move=resume"},
	"complete":           {"project.call", "project", "move=complete"},
	"stop":               {"project.call", "project", "move=stop"},
	"decide-by":          {"project.call", "project", "move=move_decide_by"},
	"propose-change":     {"change.propose", "project", ""},
	"approve-change":     {"change.approve", "project", ""},
	"reject-change":      {"change.reject", "project", ""},
	"withdraw-change":    {"change.withdraw", "project", ""},
	"plan":               {"milestone.plan", "milestone", "title=Milestone due_on=2018-03-30"},
	"edit":               {"milestone.edit", "milestone", ""},
	"agree":              {"milestone.agree", "milestone", ""},
	"decline-milestone":  {"milestone.decline", "milestone", ""},
	"start":              {"milestone.start", "milestone", ""},
	"progress":           {"milestone.progress", "milestone", ""},
	"forecast":           {"milestone.forecast", "milestone", ""},
	"deliver":            {"milestone.deliver", "milestone", ""},
	"finish":             {"milestone.complete", "milestone", ""},
	"withdraw":           {"milestone.withdraw", "milestone", ""},
	"accept":             {"milestone.accept", "milestone", ""},
	"reject":             {"milestone.reject", "milestone", ""},
	"close":              {"milestone.close_condition", "milestone", ""},
	"meet":               {"milestone.meet_condition", "milestone", ""},
	"refuse":             {"milestone.refuse_condition", "milestone", ""},
	"check":              {"milestone.check_criterion", "milestone", ""},
	"dispute":            {"milestone.dispute", "milestone", ""},
	"settle":             {"milestone.settle", "milestone", ""},
	"cancel":             {"milestone.cancel", "milestone", ""},
	"waive":              {"milestone.waive", "milestone", ""},
	"share":              {"milestone.share", "milestone", ""},
	"name-responsible":   {"milestone.name_responsible", "milestone", ""},
	"comment":            {"milestone.comment", "milestone", ""},
	"terminate":          {"agreement.terminate", "agreement", ""},
	"name-contacts":      {"agreement.name_contact_persons", "agreement", ""},
	"propose-amendment":  {"amendment.propose", "agreement", "title=Amendment"},
	"sign-amendment":     {"amendment.sign", "agreement", "signatory=Signatory"},
	"reject-amendment":   {"amendment.reject", "agreement", ""},
	"withdraw-amendment": {"amendment.withdraw", "agreement", ""},
}

// command reads "deliver ip-routing/fp4-trial on=2018-03-29".
func (s *scenario) command(line string) Command {
	words := split(line)
	v, known := verbs[words[0]]
	require.True(s.t, known, "%q is not a word of the scenarios", words[0])
	require.Greater(s.t, len(words), 1, "%s needs to know of what", words[0])
	into := reflect.New(commands[v.command].goType)
	s.aim(into.Elem(), v.target, words[1])
	given := map[string][]string{}
	for _, word := range append(split(v.usual), words[2:]...) {
		key, value, ok := strings.Cut(word, "=")
		require.True(s.t, ok, "%q is not field=value", word)
		given[key] = append(given[key], value)
	}
	for _, word := range split(v.usual) {
		if key, _, _ := strings.Cut(word, "="); len(given[key]) > 1 {
			given[key] = given[key][1:]
		}
	}
	for key, values := range given {
		place, found := fieldNamed(into.Elem(), key)
		require.True(s.t, found, "%s has no field %q", words[0], key)
		fillWith(s.t, place, values)
	}
	return into.Elem().Interface().(Command)
}

// split cuts a line at spaces outside quotes, and removes the quotes.
func split(line string) []string {
	quoted := false
	words := strings.FieldsFunc(line, func(char rune) bool {
		if char == '"' {
			quoted = !quoted
		}
		return !quoted && unicode.IsSpace(char)
	})
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], `"`, "")
	}
	return words
}

// aim sets the fields that identify the target of the command.
func (s *scenario) aim(c reflect.Value, target, path string) {
	switch first, second, two := strings.Cut(path, "/"); target {
	case "partner":
		id := c.FieldByName("PartnerID")
		if !id.IsValid() {
			id = c.FieldByName("Partner")
		}
		id.SetString(path)
	case "milestone":
		c.FieldByName("MilestoneRef").Set(reflect.ValueOf(s.milestone(path)))
	case "project":
		c.FieldByName("ProjectRef").Set(reflect.ValueOf(s.project(path)))
	case "instrument":
		if !two {
			first, second = string(s.agreement), path
		}
		c.FieldByName("AgreementID").SetString(first)
		c.FieldByName("Instrument").FieldByName("ID").SetString(second)
	case "item":
		c.FieldByName("AgreementID").SetString(string(s.agreement))
		c.FieldByName("Instrument").SetString(first)
		if two && c.FieldByName("Item").IsValid() {
			c.FieldByName("Item").SetString(second)
		}
	case "member", "token", "webhook", "invitation":
		c.FieldByName("Partner").SetString(first)
		c.FieldByName(strings.ToUpper(target[:1]) + target[1:]).SetString(second)
	case "notice":
		c.FieldByName("PartnerID").SetString(first)
		c.FieldByName("Notice").SetString(second)
	default:
		agreement := c.FieldByName("AgreementID")
		if !agreement.IsValid() {
			agreement = c.FieldByName("AmendmentRef").FieldByName("Agreement")
		}
		agreement.SetString(path)
	}
}

// fieldNamed finds a field by its JSON name, at any depth.
func fieldNamed(value reflect.Value, name string) (reflect.Value, bool) {
	for i := range value.NumField() {
		tag, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
		if tag == name {
			return value.Field(i), true
		}
		if value.Field(i).Kind() == reflect.Struct && tag != "ref" && value.Field(i).NumField() > 0 && value.Field(i).Type().PkgPath() != "time" {
			if found, ok := fieldNamed(value.Field(i), name); ok {
				return found, true
			}
		}
	}
	return reflect.Value{}, false
}

// fillWith sets a field from the words of a scenario.
func fillWith(t require.TestingT, value reflect.Value, values []string) {
	if value.Kind() == reflect.Pointer {
		value.Set(reflect.New(value.Type().Elem()))
		value = value.Elem()
	}
	if fillList(t, value.Addr().Interface(), values) {
		return
	}
	var err error
	switch field := value.Addr().Interface().(type) {
	case *map[RoleName][]PartnerID:
		*field = map[RoleName][]PartnerID{}
		for _, text := range values {
			role, partners, _ := strings.Cut(text, ":")
			(*field)[RoleName(role)] = names(partners)
		}
	case *int:
		*field, err = strconv.Atoi(values[0])
	case *bool:
		*field = values[0] == "yes"
	case *Date:
		*field = date(t, values[0])
	default:
		text, _ := json.Marshal(values[0])
		if value.Kind() == reflect.Slice && value.Type().Elem().Kind() != reflect.Uint8 {
			text, _ = json.Marshal(strings.Split(values[0], ","))
		}
		err = json.Unmarshal(text, field)
	}
	require.NoError(t, err, fmt.Sprint(values))
}

// fillList sets a list, and reports whether its type has a form of its own.
func fillList(t require.TestingT, list any, values []string) bool {
	switch field := list.(type) {
	case *[]string:
		*field = append([]string{}, values...)
	case *[]PartnerID:
		*field = append([]PartnerID{}, names(values[0])...)
	case *[]Joining:
		for _, partner := range names(values[0]) {
			*field = append(*field, Joining{partner})
		}
	case *[]Evidence:
		*field = each(t, values, evidence)
	case *[]Requirement:
		*field = each(t, values, requirement)
	case *[]Disposition:
		*field = each(t, values, disposition)
	case *[]WantedChange:
		*field = each(t, values, wanted)
	case *[]Instrument:
		*field = each(t, values, instrument)
	case *[]InstrumentEnd:
		*field = each(t, values, instrumentEnd)
	case *[]ScheduleItem:
		*field = each(t, values, scheduleItem)
	case *[]Obligation:
		*field = each(t, values, obligation)
	default:
		return false
	}
	return true
}

func each[T any](t require.TestingT, values []string, read func(t require.TestingT, text string) T) []T {
	var list []T
	for _, text := range values {
		list = append(list, read(t, text))
	}
	return list
}

// date reads "2018-03-30" or "none".
func date(t require.TestingT, text string) Date {
	if text == "none" {
		return 0
	}
	date, err := ParseDate(text)
	require.NoError(t, err)
	return date
}

// evidence reads "Trial report https://files.example/report".
func evidence(_ require.TestingT, text string) Evidence {
	i := strings.LastIndexByte(text, ' ')
	return Evidence{Title: text[:max(i, 0)], URL: text[i+1:]}
}

// requirement reads "Signed report by 2018-04-13".
func requirement(t require.TestingT, text string) Requirement {
	i := strings.LastIndex(text, " by ")
	return Requirement{Text: text[:max(i, 0)], DueOn: date(t, text[i+len(" by "):])}
}

// disposition reads "spares cancelled Not needed".
func disposition(_ require.TestingT, text string) Disposition {
	words := append(strings.SplitN(text, " ", 3), "")
	return Disposition{Milestone: MilestoneID(words[0]), State: MilestoneState(words[1]), Reason: words[2]}
}

// instrumentEnd reads "chips 2018-12-31" or "chips open_ended".
func instrumentEnd(t require.TestingT, text string) InstrumentEnd {
	id, day, _ := strings.Cut(text, " ")
	if kind := TermKind(day); kind == TermOpenEnded || kind == TermUndisclosed {
		return InstrumentEnd{ID: InstrumentID(id), Term: kind}
	}
	return InstrumentEnd{ID: InstrumentID(id), ExpiresOn: date(t, day)}
}

// scheduleItem reads "lot-1 First lot, quantity 1000 pieces" or "family-1 Antennas, office EPO, number EP 1".
func scheduleItem(t require.TestingT, text string) ScheduleItem {
	parts := strings.Split(text, ", ")
	id, title, _ := strings.Cut(parts[0], " ")
	item := ScheduleItem{ID: ItemID(id), Title: title}
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, " ")
		switch name {
		case "quantity":
			number, unit, _ := strings.Cut(value, " ")
			item.Quantity, _ = strconv.Atoi(number)
			item.Unit = unit
		case "count":
			item.Count, _ = strconv.Atoi(value)
		case "office":
			item.Office = value
		case "number":
			item.Number = value
		case "old_holder":
			item.OldHolder = value
		case "new_holder":
			item.NewHolder = value
		default:
			require.FailNow(t, "not a field of a schedule item", part)
		}
	}
	return item
}

// obligation reads "4.2 nokia Deliver the boards".
func obligation(_ require.TestingT, text string) Obligation {
	words := strings.SplitN(text, " ", 3)
	return Obligation{Clause: words[0], Partner: PartnerID(words[1]), Text: words[2]}
}

// instrument reads "chips supply supplier:nokia customer:zte".
func instrument(_ require.TestingT, text string) Instrument {
	words := strings.Fields(text)
	instrument := Instrument{ID: InstrumentID(words[0]), Kind: InstrumentKind(words[1]), Title: "Instrument", EffectiveOn: 2017_07_05, Disclosure: Disclosed}
	for _, word := range words[2:] {
		role, partners, _ := strings.Cut(word, ":")
		if instrument.Roles == nil {
			instrument.Roles = map[RoleName][]PartnerID{}
		}
		instrument.Roles[RoleName(role)] = names(partners)
	}
	return instrument
}

// wanted reads "fp4-trial, due_on 2018-04-30, acceptors xiaomi zte, cancel".
func wanted(t require.TestingT, text string) WantedChange {
	parts := strings.Split(text, ", ")
	wanted := WantedChange{Milestone: MilestoneID(parts[0])}
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, " ")
		switch name {
		case "title":
			wanted.To.Title = value
		case "description":
			wanted.To.Description = &value
		case "instrument":
			wanted.To.Instrument = new(InstrumentID(value))
		case "schedule_item":
			wanted.To.ScheduleItem = new(ItemID(value))
		case "clause":
			wanted.To.Clause = &value
		case "due_on":
			wanted.To.DueOn = date(t, value)
		case "owner":
			wanted.To.Owner = PartnerID(value)
		case "acceptors":
			wanted.To.Acceptors = names(value)
		case "criteria":
			wanted.To.Criteria = new(strings.FieldsFunc(value, func(char rune) bool { return char == '+' }))
		case "cancel":
			wanted.Cancel = true
		default:
			require.FailNow(t, "not a field of a change", part)
		}
	}
	return wanted
}
