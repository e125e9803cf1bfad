package sentences

import (
	"slices"
	"strconv"
	"strings"

	"tandem/domain"
)

// edits describes changed fields as "due date from 15 to 30 April 2018; title from “A” to “B”; description".
type edits struct {
	book  *phrasebook
	fact  Fact
	words []string
}

func (p *phrasebook) edits(fact Fact) *edits { return &edits{book: p, fact: fact} }

func (e *edits) String() string { return e.join(e.book.style.semicolon) }

func (e *edits) join(separator string) string { return strings.Join(e.words, separator) }

// value adds a field whose values are short, such as a name. An empty value means that the field had or has none.
func (e *edits) value(field, from, to string) {
	if from != to {
		e.change(field, from, to)
	}
}

// change adds a field with its old and new value.
func (e *edits) change(field, from, to string) {
	id := "edit.changed"
	switch {
	case to == "":
		id = "edit.removed"
	case from == "":
		id = "edit.set"
	}
	e.words = append(e.words, e.book.text(id, args{"Field": e.book.text("field."+field, nil), "From": from, "To": to}))
}

// title adds a field whose values are set in quotation marks.
func (e *edits) title(field, from, to string) {
	e.value(field, e.book.quoted(from), e.book.quoted(to))
}

// date adds a date. The zero date means none.
func (e *edits) date(field string, from, to domain.Date) {
	switch {
	case from == to:
	case from != 0 && to != 0:
		e.words = append(e.words, e.book.text("edit.moved", args{"Field": e.book.text("field."+field, nil), "Span": e.book.style.span(from, to)}))
	default:
		e.value(field, e.book.dateOrNone(from), e.book.dateOrNone(to))
	}
}

// end adds the end of a term: its last day, or otherwise its kind.
func (e *edits) end(fromKind domain.TermKind, from domain.Date, toKind domain.TermKind, to domain.Date) {
	if from != 0 && to != 0 {
		e.date("expires_on", from, to)
		return
	}
	e.value("term", e.book.term(fromKind, from), e.book.term(toKind, to))
}

// term formats a term such as "open-ended".
func (p *phrasebook) term(kind domain.TermKind, lastDay domain.Date) string {
	return p.text("term."+string(kind), args{"On": p.dateOrNone(lastDay)})
}

// days adds a number of days. Unit is the message of the new value, which counts it.
func (e *edits) days(field, unit string, from, to int) {
	if from != to {
		e.change(field, strconv.Itoa(from), e.book.text(unit, args{"Count": to}))
	}
}

// text adds the name of a field whose values are too long to quote.
func (e *edits) text(field string, changed bool) {
	if changed {
		e.words = append(e.words, e.book.text("edit.text", args{"Field": e.book.text("field."+field, nil)}))
	}
}

func (e *edits) partner(field string, from, to domain.PartnerID) {
	if from != to {
		e.change(field, e.name(from), e.name(to))
	}
}

func (e *edits) partners(field string, from, to []domain.PartnerID) {
	if !slices.Equal(from, to) {
		e.change(field, e.book.names(e.fact, from), e.book.names(e.fact, to))
	}
}

func (e *edits) name(partner domain.PartnerID) string {
	if partner == "" {
		return ""
	}
	return e.fact.Name(partner)
}

func (e *edits) instrument(from, to domain.InstrumentID) {
	title := func(id domain.InstrumentID) string {
		if id == "" {
			return ""
		}
		return e.book.quoted(e.fact.instrument(id))
	}
	if from != to {
		e.change("instrument", title(from), title(to))
	}
}

func (e *edits) item(fromInstrument, toInstrument domain.InstrumentID, from, to domain.ItemID) {
	if from != to {
		e.title("schedule_item", e.fact.item(fromInstrument, from), e.fact.item(toInstrument, to))
	}
}

// quoted returns a title in quotation marks; an empty one stays empty.
func (p *phrasebook) quoted(title string) string {
	if title == "" {
		return ""
	}
	return p.text("quoted", args{"Value": title})
}

func (p *phrasebook) dateOrNone(date domain.Date) string {
	if date == 0 {
		return ""
	}
	return p.style.date(date)
}

// plan describes an edit of a milestone.
func (e *edits) plan(from, to domain.Plan) *edits {
	e.title("title", from.Title, to.Title)
	e.date("due_on", from.DueOn, to.DueOn)
	e.partner("owner", from.Owner, to.Owner)
	e.partners("acceptors", from.Acceptors, to.Acceptors)
	e.instrument(from.Instrument, to.Instrument)
	e.item(from.Instrument, to.Instrument, from.ScheduleItem, to.ScheduleItem)
	e.title("clause", from.Clause, to.Clause)
	e.text("criteria", !slices.Equal(from.Criteria, to.Criteria))
	e.text("description", from.Description != to.Description)
	return e
}

// scope describes the selected fields of a change request or of the plan that it set. If whole, the parties and the date are
// named even if they do not change.
func (e *edits) scope(from, to domain.ChangeFields, whole bool) *edits {
	if to.Title != "" {
		e.title("title", from.Title, to.Title)
	}
	if to.DueOn != 0 && !e.kept(whole && (from.DueOn == to.DueOn || from.DueOn == 0), "due_on", e.book.dateOrNone(to.DueOn)) {
		e.date("due_on", from.DueOn, to.DueOn)
	}
	if to.Owner != "" && !e.kept(whole && from.Owner == to.Owner, "owner", e.name(to.Owner)) {
		e.partner("owner", from.Owner, to.Owner)
	}
	if len(to.Acceptors) > 0 && !e.kept(whole && slices.Equal(from.Acceptors, to.Acceptors), "acceptors", e.book.names(e.fact, to.Acceptors)) {
		e.partners("acceptors", from.Acceptors, to.Acceptors)
	}
	return e.content(from, to)
}

// content describes the selected fields other than the date, the parties and the title.
func (e *edits) content(from, to domain.ChangeFields) *edits {
	if to.Instrument != nil {
		e.instrument(value(from.Instrument), *to.Instrument)
	}
	if to.ScheduleItem != nil {
		e.item(value(from.Instrument), value(to.Instrument), value(from.ScheduleItem), *to.ScheduleItem)
	}
	if to.Clause != nil {
		e.title("clause", value(from.Clause), *to.Clause)
	}
	switch {
	case to.Criteria == nil || slices.Equal(value(from.Criteria), *to.Criteria):
	case len(*to.Criteria) == 0:
		e.words = append(e.words, e.book.text("agreed.no_criteria", nil))
	default:
		e.text("criteria", true)
	}
	e.text("description", to.Description != nil && value(from.Description) != *to.Description)
	return e
}

// kept adds a field that keeps its value and reports whether it does.
func (e *edits) kept(keeps bool, field, value string) bool {
	if keeps {
		e.words = append(e.words, e.book.text("edit.kept", args{"Field": e.book.text("field."+field, nil), "Value": value}))
	}
	return keeps
}

// terms describes an edit or an amendment of an agreement.
func (e *edits) terms(from, to domain.Terms) *edits {
	e.title("title", from.Title, to.Title)
	e.partners("parties", from.Parties, to.Parties)
	e.date("effective_on", from.EffectiveOn, to.EffectiveOn)
	e.end(from.TermKind(), from.ExpiresOn, to.TermKind(), to.ExpiresOn)
	e.days("acceptance_days", "days.working", from.AcceptanceDays, to.AcceptanceDays)
	if from.DeemedAcceptance != to.DeemedAcceptance {
		e.words = append(e.words, e.book.deemed(to.DeemedAcceptance))
	}
	e.days("forecast_tolerance_days", "days.calendar", from.ForecastToleranceDays, to.ForecastToleranceDays)
	e.days("notice_days", "days.calendar", from.NoticeDays, to.NoticeDays)
	e.text("documents", !slices.Equal(from.Documents, to.Documents))
	if from.Announced != to.Announced {
		e.words = append(e.words, e.book.announced(to.Announced))
	}
	return e
}

func (p *phrasebook) announced(public bool) string {
	return p.text(map[bool]string{true: "terms.announced", false: "terms.not_announced"}[public], nil)
}

func (p *phrasebook) deemed(acceptance bool) string {
	return p.text(map[bool]string{true: "terms.deemed", false: "terms.not_deemed"}[acceptance], nil)
}

// profile describes an edit of a partner other than of its name.
func (e *edits) profile(from, to domain.PartnerProfile) *edits {
	e.value("country", from.Country, to.Country)
	e.value("time_zone", from.TimeZone, to.TimeZone)
	e.text("holidays", !slices.Equal(from.Holidays, to.Holidays))
	return e
}

// project describes an edit of a project.
func (e *edits) project(from, to domain.ProjectFields) *edits {
	e.title("title", from.Title, to.Title)
	e.title("area", from.Area, to.Area)
	e.instrument(from.Instrument, to.Instrument)
	e.text("description", from.Description != to.Description)
	return e
}

// webhook describes an edit of a webhook's settings. The address itself is secret.
func (e *edits) webhook(from, to domain.WebhookSettings) *edits {
	e.title("title", from.Title, to.Title)
	e.value("format", from.Format, to.Format)
	e.value("place", from.DisplayAddress, to.DisplayAddress)
	e.text("address", from.DisplayAddress == to.DisplayAddress && !slices.Equal(from.Address, to.Address))
	e.value("events", strings.Join(from.Events, e.book.style.comma), strings.Join(to.Events, e.book.style.comma))
	e.text("agreements", !slices.Equal(from.Agreements, to.Agreements))
	e.value("language", e.word("language", from.Language), e.word("language", to.Language))
	e.value("digest", e.word("digest", string(from.Digest)), e.word("digest", string(to.Digest)))
	e.value("order", e.word("order", string(from.Order)), e.word("order", string(to.Order)))
	if from.IncludePrivate != to.IncludePrivate {
		e.words = append(e.words, e.book.text(map[bool]string{true: "edit.include_private", false: "edit.exclude_private"}[to.IncludePrivate], nil))
	}
	return e
}

// word translates a value such as a language's code; an empty one stays empty.
func (e *edits) word(field, value string) string {
	if value == "" {
		return ""
	}
	return e.book.text(field+"."+value, nil)
}
