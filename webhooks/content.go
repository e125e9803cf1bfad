package webhooks

import (
	"cmp"
	"strings"

	"tandem/domain"
	"tandem/projections"
	"tandem/projections/sentences"
	"tandem/webhooks/formats"
)

// ContentInput holds the data of a message about one event, as visible to the receiving partner. Titles, names and
// the state are those at the event.
type ContentInput struct {
	Type     string         // for example milestone.delivered
	Payload  domain.Payload // nil: the content has only the sentence
	Sentence string         // in Language, from [sentences.Book]

	Agreement string // title; empty if the event concerns none
	Project   string
	Milestone string

	State   domain.MilestoneState // of the milestone; empty without one
	Health  domain.Health
	Overdue bool
	DueOn   domain.Date
	Owner   string // name

	Actor    string // member and partner that acted; empty: Tandem itself or the operator
	Link     string // absolute
	Language string
}

// NewContentInput returns the input for a rendered event. The link leads to the event's object.
func NewContentInput(rendered *projections.RenderedEvent, link, language string) ContentInput {
	input := ContentInput{
		Type: rendered.Event.Type, Payload: rendered.Payload, Sentence: rendered.Sentence, Agreement: rendered.Agreement, Project: rendered.Project,
		Actor: rendered.Actor, Link: link, Language: language,
	}
	if milestone := rendered.Milestone; milestone != nil {
		input.Milestone, input.State, input.Overdue, input.DueOn, input.Owner = milestone.Title, milestone.State, milestone.Overdue, milestone.DueOn, rendered.Names[milestone.Owner]
		if milestone.Health != nil {
			input.Health = *milestone.Health
		}
	}
	return input
}

// maxHeadline is the maximum length of a headline in UTF-16 code units.
const maxHeadline = 300

// EventContent returns the content of a message about one event. The headline is the sentence, after the title of its
// project or agreement. Facts do not repeat text of the headline.
func EventContent(book *sentences.Book, input ContentInput) formats.Content {
	content := formats.Content{
		Headline: input.headline(), State: input.state(book), Thread: firstNonEmpty(input.Milestone, input.Project, input.Agreement),
		Link: input.Link, LinkText: book.Text(input.Language, "message.open", nil), Language: input.Language,
	}
	details := detailsOf(input.Payload)
	add := func(name, value string) {
		if value != "" {
			content.Facts = append(content.Facts, formats.Fact{Name: book.Text(input.Language, "fact."+name, nil), Value: value})
		}
	}
	switch {
	case details.to != 0 && details.from != 0:
		add(details.dateFact, book.Date(input.Language, details.from)+" → "+book.Date(input.Language, details.to))
	case details.to != 0:
		add(details.dateFact, book.Date(input.Language, details.to))
	case input.DueOn != 0:
		add("due", book.Date(input.Language, input.DueOn))
	}
	add("owner", input.Owner)
	if !strings.Contains(content.Headline, input.Actor) {
		add("by", input.Actor)
	}
	if !strings.Contains(content.Headline, formats.SingleLine(details.reason)) {
		add("reason", details.reason)
	}
	return content
}

// headline returns "[Project] sentence", or the sentence alone if it contains the title.
func (in ContentInput) headline() string {
	sentence := formats.SingleLine(in.Sentence)
	for _, about := range []string{in.Project, in.Agreement} {
		if about = formats.SingleLine(about); about == "" || strings.Contains(sentence, about) {
			continue
		}
		if in.Language == sentences.Chinese {
			sentence = "【" + about + "】" + sentence
		} else {
			sentence = "[" + about + "] " + sentence
		}
		break
	}
	return formats.Truncate(sentence, maxHeadline)
}

// firstNonEmpty returns the first text that is visible.
func firstNonEmpty(texts ...string) string {
	for _, text := range texts {
		if formats.SingleLine(text) != "" {
			return text
		}
	}
	return ""
}

// DigestInput holds the data of a digest.
type DigestInput struct {
	Title     string   // of the agreement; the receiving partner's name if there are several agreements
	Several   bool     // there are several agreements
	Headlines []string // oldest first
	Link      string
	Language  string
}

// DigestContent returns the content of one message about several events.
func DigestContent(book *sentences.Book, input DigestInput) formats.Content {
	id := "message.digest"
	if input.Several {
		id += ".several"
	}
	return formats.Content{
		Headline: book.Text(input.Language, id, map[string]any{"Count": len(input.Headlines), "Title": input.Title}),
		State:    formats.State{Word: book.Text(input.Language, "state.summary", nil), Tone: formats.Neutral}, DigestLines: input.Headlines, Thread: input.Title,
		Link: input.Link, LinkText: book.Text(input.Language, "message.open", nil), Language: input.Language,
	}
}

// TestContent returns the content of a test message. The title is the webhook's.
func TestContent(book *sentences.Book, title, link, language string) formats.Content {
	return formats.Content{
		Headline: book.Text(language, "message.test", map[string]any{"Title": title}),
		State:    formats.State{Word: book.Text(language, "state.test", nil), Tone: formats.Good}, Thread: "Tandem",
		Link: link, LinkText: book.Text(language, "message.open", nil), Language: language,
	}
}

// contentDetails are the parts of a payload that become facts.
type contentDetails struct {
	dateFact string // name of the fact for the dates
	from, to domain.Date
	reason   string
}

// detailsOf returns the dates and the reason in a payload. Other payloads have none.
func detailsOf(payload domain.Payload) contentDetails {
	switch event := payload.(type) {
	case domain.MilestonePlanned:
		return contentDetails{"due", 0, event.Plan.DueOn, ""}
	case domain.MilestoneEdited:
		return contentDetails{"due", previousIfChanged(event.From.DueOn, event.To.DueOn), event.To.DueOn, ""}
	case domain.MilestoneAgreed:
		return contentDetails{"due", previousIfChanged(event.BaselineFrom, event.To.DueOn), event.To.DueOn, event.Reason}
	case domain.DecideByMoved:
		return contentDetails{"decide_by", event.From, event.To, ""}
	case domain.ForecastMoved:
		return contentDetails{"forecast", event.From, event.To.On, event.To.Reason}
	case domain.StageCalled:
		return contentDetails{"decide_by", 0, event.Call.DecideBy, event.Call.Reason}
	case domain.StageChanged:
		return contentDetails{reason: event.Reason}
	case domain.ChangeProposed:
		return contentDetails{reason: event.Reason}
	case domain.ChangeRejected:
		return contentDetails{reason: event.Reason}
	case domain.AmendmentRejected:
		return contentDetails{reason: event.Reason}
	case domain.TerminationCalled:
		return contentDetails{reason: event.Reason}
	case domain.NoticeGiven:
		return contentDetails{reason: event.Reason}
	case domain.AgreementTerminated:
		return contentDetails{reason: event.Reason}
	}
	return contentDetails{reason: commentOf(payload)}
}

// commentOf returns the note or reason of a milestone event.
func commentOf(payload domain.Payload) string {
	switch event := payload.(type) {
	case domain.MilestoneProgressed:
		return commentOf(event.Reported())
	case domain.MilestoneAssessed:
		return commentOf(event.Reported())
	case domain.MilestoneReported:
		return noteOf(event.To.Note)
	case domain.AssessmentReported:
		return noteOf(event.To.Note)
	case domain.MilestoneCommented:
		return event.Text
	case domain.WebhookDisabled:
		return event.Reason
	}
	return cmp.Or(decisionNote(payload), actionReason(payload))
}

// decisionNote returns the note of a decision about a delivery or a condition.
func decisionNote(payload domain.Payload) string {
	switch event := payload.(type) {
	case domain.MilestoneAccepted:
		return event.Note
	case domain.MilestoneConditionallyAccepted:
		return event.Note
	case domain.MilestoneRejected:
		return strings.Join(event.Reasons, "; ")
	case domain.ConditionReportedMet:
		return event.Note
	case domain.ConditionRefusedByAuthor:
		return event.Reason
	case domain.CriterionChecked:
		return event.Note
	case domain.OutcomeNamed:
		return event.Note
	}
	return ""
}

// actionReason returns the reason of an action on a milestone.
func actionReason(payload domain.Payload) string {
	switch event := payload.(type) {
	case domain.MilestoneDelivered:
		return event.Reason
	case domain.MilestoneCompleted:
		return event.Reason
	case domain.DeliveryWithdrawn:
		return event.Reason
	case domain.MilestoneDisputed:
		return event.Reason
	case domain.MilestoneCancelled:
		return event.Reason
	case domain.MilestoneWaived:
		return event.Reason
	}
	return ""
}

// noteOf returns a note that may not have been reported.
func noteOf(note *string) string {
	if note == nil {
		return ""
	}
	return *note
}

// previousIfChanged returns the date before a change; zero if it did not change.
func previousIfChanged(from, to domain.Date) domain.Date {
	if from == to {
		return 0
	}
	return from
}
