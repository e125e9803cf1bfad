package webhooks

import (
	"strings"

	"tandem/domain"
	"tandem/projections"
	"tandem/projections/sentences"
)

// Occurrence is what a message about an event is made of, as the receiving partner may see it. Titles and names
// are as they are now; the state is the one after the event.
type Occurrence struct {
	Type     string         // such as milestone.delivered
	Payload  domain.Payload // nil: nothing is said but the sentence
	Sentence string         // in the language, as [sentences.Book] words it

	Agreement string // titles; empty: it is about none
	Project   string
	Milestone string

	State   domain.MilestoneState // of the milestone; empty: it is about none
	Health  domain.Health
	Overdue bool
	Due     domain.Date
	Owner   string // its name

	Partner  string // the name of who acted; empty: Tandem itself or the operator
	Link     string // absolute
	Language string
}

// OccurrenceOf returns an event as it is told to a partner. The link is where to look.
func OccurrenceOf(t *projections.Told, link, language string) Occurrence {
	o := Occurrence{
		Type: t.Event.Type, Payload: t.Payload, Sentence: t.Sentence, Agreement: t.Agreement, Project: t.Project,
		Link: link, Language: language,
	}
	if p := t.Event.Partner; p != nil {
		o.Partner = t.Names[*p]
	}
	if m := t.Milestone; m != nil {
		o.Milestone, o.State, o.Overdue, o.Due, o.Owner = m.Title, m.State, m.Overdue, m.DueOn, t.Names[m.Owner]
		if m.Health != nil {
			o.Health = *m.Health
		}
	}
	return o
}

// maxHeadline is how much of a sentence stands in a headline.
const maxHeadline = 300

// NewMessage words an event. The headline is the sentence, led by what it is about; what it says in full is not
// said again as a fact.
func NewMessage(book *sentences.Book, o Occurrence) Message {
	m := Message{
		Headline: o.headline(), State: o.state(book), Thread: first(o.Milestone, o.Project, o.Agreement),
		Link: o.Link, LinkText: book.Say(o.Language, "message.open", nil), Language: o.Language,
	}
	told := told(o.Payload)
	add := func(name, value string) {
		if value != "" {
			m.Facts = append(m.Facts, Fact{book.Say(o.Language, "fact."+name, nil), value})
		}
	}
	switch {
	case told.to != 0 && told.from != 0:
		add(told.dates, book.Date(o.Language, told.from)+" → "+book.Date(o.Language, told.to))
	case told.to != 0:
		add(told.dates, book.Date(o.Language, told.to))
	case o.Due != 0:
		add("due", book.Date(o.Language, o.Due))
	}
	add("owner", o.Owner)
	if !strings.Contains(m.Headline, o.Partner) {
		add("by", o.Partner)
	}
	if !strings.Contains(m.Headline, flat(told.reason)) {
		add("reason", told.reason)
	}
	return m
}

// headline is "[Project] sentence", without the project where the sentence is about the project itself.
func (o Occurrence) headline() string {
	sentence := flat(o.Sentence)
	for _, about := range []string{o.Project, o.Agreement} {
		if about = flat(about); about == "" || strings.Contains(sentence, about) {
			continue
		}
		if o.Language == sentences.Chinese {
			sentence = "【" + about + "】" + sentence
		} else {
			sentence = "[" + about + "] " + sentence
		}
		break
	}
	return script{size: countUnits}.write(sentence, maxHeadline)
}

func first(texts ...string) string {
	for _, t := range texts {
		if flat(t) != "" {
			return t
		}
	}
	return ""
}

// Summary is what a digest is made of.
type Summary struct {
	Title     string   // of the agreement, else the receiving partner's name
	Headlines []string // oldest first
	Link      string
	Language  string
}

// NewDigest words several events as one message.
func NewDigest(book *sentences.Book, s Summary) Message {
	name := "message.digest"
	if len(s.Headlines) == 1 {
		name += ".one"
	}
	return Message{
		Headline: book.Say(s.Language, name, map[string]any{"Count": len(s.Headlines), "Title": s.Title}),
		State:    State{book.Say(s.Language, "state.summary", nil), Neutral}, Digest: s.Headlines, Thread: s.Title,
		Link: s.Link, LinkText: book.Say(s.Language, "message.open", nil), Language: s.Language,
	}
}

// NewTest words the message that a manager asks for to see whether the way is open. The title is the webhook's.
func NewTest(book *sentences.Book, title, link, language string) Message {
	return Message{
		Headline: book.Say(language, "message.test", map[string]any{"Title": title}),
		State:    State{book.Say(language, "state.test", nil), Good}, Thread: "Tandem",
		Link: link, LinkText: book.Say(language, "message.open", nil), Language: language,
	}
}

// telling is what a payload says that a fact shows.
type telling struct {
	dates    string // the fact's name
	from, to domain.Date
	reason   string
}

// told reads a payload. What it has no case for has neither dates nor a reason.
func told(p domain.Payload) telling {
	switch e := p.(type) {
	case domain.MilestonePlanned:
		return telling{"due", 0, e.Plan.DueOn, ""}
	case domain.MilestoneEdited:
		return telling{"due", changed(e.From.DueOn, e.To.DueOn), e.To.DueOn, ""}
	case domain.MilestoneAgreed:
		return telling{"due", changed(e.BaselineFrom, e.To.DueOn), e.To.DueOn, e.Reason}
	case domain.DecideByMoved:
		return telling{"decide_by", e.From, e.To, ""}
	case domain.ForecastMoved:
		return telling{"forecast", e.From, e.To.On, e.To.Reason}
	case domain.StageCalled:
		return telling{"decide_by", 0, e.Call.DecideBy, e.Call.Reason}
	case domain.StageChanged:
		return telling{reason: e.Reason}
	case domain.ChangeProposed:
		return telling{reason: e.Reason}
	case domain.ChangeRejected:
		return telling{reason: e.Reason}
	case domain.AmendmentRejected:
		return telling{reason: e.Reason}
	case domain.TerminationCalled:
		return telling{reason: e.Reason}
	case domain.NoticeGiven:
		return telling{reason: e.Reason}
	case domain.AgreementTerminated:
		return telling{reason: e.Reason}
	}
	return telling{reason: said(p)}
}

// said is what somebody wrote beside an act on a milestone.
func said(p domain.Payload) string {
	switch e := p.(type) {
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

func changed(from, to domain.Date) domain.Date {
	if from == to {
		return 0
	}
	return from
}
