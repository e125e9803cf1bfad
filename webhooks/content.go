package webhooks

import (
	"strings"

	"tandem/domain"
	"tandem/projections"
	"tandem/projections/sentences"
	"tandem/webhooks/formats"
)

// ContentInput is what a message about an event is made of, as the receiving partner may see it. Titles and names
// are as they are now; the state is the one after the event.
type ContentInput struct {
	Type     string         // such as milestone.delivered
	Payload  domain.Payload // nil: nothing is said but the sentence
	Sentence string         // in the language, as [sentences.Book] words it

	Agreement string // titles; empty: it is about none
	Project   string
	Milestone string

	State   domain.MilestoneState // of the milestone; empty: it is about none
	Health  domain.Health
	Overdue bool
	DueOn   domain.Date
	Owner   string // its name

	Partner  string // the name of who acted; empty: Tandem itself or the operator
	Link     string // absolute
	Language string
}

// NewContentInput returns an event as it is told to a partner. The link is where to look.
func NewContentInput(rendered *projections.RenderedEvent, link, language string) ContentInput {
	input := ContentInput{
		Type: rendered.Event.Type, Payload: rendered.Payload, Sentence: rendered.Sentence, Agreement: rendered.Agreement, Project: rendered.Project,
		Link: link, Language: language,
	}
	if partner := rendered.Event.Partner; partner != nil {
		input.Partner = rendered.Names[*partner]
	}
	if milestone := rendered.Milestone; milestone != nil {
		input.Milestone, input.State, input.Overdue, input.DueOn, input.Owner = milestone.Title, milestone.State, milestone.Overdue, milestone.DueOn, rendered.Names[milestone.Owner]
		if milestone.Health != nil {
			input.Health = *milestone.Health
		}
	}
	return input
}

// maxHeadline is how much of a sentence stands in a headline.
const maxHeadline = 300

// EventContent words an event. The headline is the sentence, led by what it is about; what it says in full is not
// said again as a fact.
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
	if !strings.Contains(content.Headline, input.Partner) {
		add("by", input.Partner)
	}
	if !strings.Contains(content.Headline, formats.SingleLine(details.reason)) {
		add("reason", details.reason)
	}
	return content
}

// headline is "[Project] sentence", without the project where the sentence is about the project itself.
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

func firstNonEmpty(texts ...string) string {
	for _, text := range texts {
		if formats.SingleLine(text) != "" {
			return text
		}
	}
	return ""
}

// DigestInput is what a digest is made of.
type DigestInput struct {
	Title     string   // of the agreement, else the receiving partner's name
	Headlines []string // oldest first
	Link      string
	Language  string
}

// DigestContent words several events as one message.
func DigestContent(book *sentences.Book, input DigestInput) formats.Content {
	name := "message.digest"
	if len(input.Headlines) == 1 {
		name += ".one"
	}
	return formats.Content{
		Headline: book.Text(input.Language, name, map[string]any{"Count": len(input.Headlines), "Title": input.Title}),
		State:    formats.State{Word: book.Text(input.Language, "state.summary", nil), Tone: formats.Neutral}, DigestLines: input.Headlines, Thread: input.Title,
		Link: input.Link, LinkText: book.Text(input.Language, "message.open", nil), Language: input.Language,
	}
}

// TestContent words the message that a manager asks for to see whether the way is open. The title is the webhook's.
func TestContent(book *sentences.Book, title, link, language string) formats.Content {
	return formats.Content{
		Headline: book.Text(language, "message.test", map[string]any{"Title": title}),
		State:    formats.State{Word: book.Text(language, "state.test", nil), Tone: formats.Good}, Thread: "Tandem",
		Link: link, LinkText: book.Text(language, "message.open", nil), Language: language,
	}
}

// contentDetails is what a payload says that a fact shows.
type contentDetails struct {
	dateFact string // the fact's name
	from, to domain.Date
	reason   string
}

// detailsOf reads a payload. What it has no case for has neither dates nor a reason.
func detailsOf(payload domain.Payload) contentDetails {
	switch e := payload.(type) {
	case domain.MilestonePlanned:
		return contentDetails{"due", 0, e.Plan.DueOn, ""}
	case domain.MilestoneEdited:
		return contentDetails{"due", previousIfChanged(e.From.DueOn, e.To.DueOn), e.To.DueOn, ""}
	case domain.MilestoneAgreed:
		return contentDetails{"due", previousIfChanged(e.BaselineFrom, e.To.DueOn), e.To.DueOn, e.Reason}
	case domain.DecideByMoved:
		return contentDetails{"decide_by", e.From, e.To, ""}
	case domain.ForecastMoved:
		return contentDetails{"forecast", e.From, e.To.On, e.To.Reason}
	case domain.StageCalled:
		return contentDetails{"decide_by", 0, e.Call.DecideBy, e.Call.Reason}
	case domain.StageChanged:
		return contentDetails{reason: e.Reason}
	case domain.ChangeProposed:
		return contentDetails{reason: e.Reason}
	case domain.ChangeRejected:
		return contentDetails{reason: e.Reason}
	case domain.AmendmentRejected:
		return contentDetails{reason: e.Reason}
	case domain.TerminationCalled:
		return contentDetails{reason: e.Reason}
	case domain.NoticeGiven:
		return contentDetails{reason: e.Reason}
	case domain.AgreementTerminated:
		return contentDetails{reason: e.Reason}
	}
	return contentDetails{reason: commentOf(payload)}
}

// commentOf is what somebody wrote beside an act on a milestone.
func commentOf(payload domain.Payload) string {
	switch e := payload.(type) {
	case domain.MilestoneProgressed:
		return e.To.Note
	case domain.MilestoneAssessed:
		return e.To.Note
	case domain.MilestoneAccepted:
		return e.Note
	case domain.MilestoneConditionallyAccepted:
		return e.Note
	case domain.MilestoneRejected:
		return strings.Join(e.Reasons, "; ")
	case domain.MilestoneDisputed:
		return e.Reason
	case domain.OutcomeNamed:
		return e.Note
	case domain.MilestoneCancelled:
		return e.Reason
	case domain.MilestoneCommented:
		return e.Text
	case domain.WebhookDisabled:
		return e.Reason
	}
	return ""
}

func previousIfChanged(from, to domain.Date) domain.Date {
	if from == to {
		return 0
	}
	return from
}
