package webhooktest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf16"
)

func units(s string) int { return len(utf16.Encode([]rune(s))) }

func western() []tool {
	ok := func(*Fake, Message) answer { return answer{status: http.StatusOK, body: "ok"} }
	return []tool{
		{name: "slack", rate: []rate{{n: 4, in: time.Second}}, read: readSlack, took: ok, slow: func(after time.Duration) answer {
			return answer{http.StatusTooManyRequests, map[string]string{"Retry-After": seconds(after)}, "rate_limited"}
		}},
		{name: "teams", rate: []rate{{n: 4, in: time.Second}}, read: readTeams, took: func(*Fake, Message) answer {
			return answer{status: http.StatusAccepted, body: ""}
		}, slow: tooMany},
		{name: "discord", rate: []rate{{n: 5, in: 2 * time.Second}}, read: readDiscord, took: tookDiscord, slow: func(after time.Duration) answer {
			return answer{http.StatusTooManyRequests, map[string]string{"Retry-After": seconds(after), "X-RateLimit-Remaining": "0"}, map[string]any{
				"message": "You are being rate limited.", "retry_after": after.Seconds(), "global": false,
			}}
		}},
		{name: "mattermost", rate: []rate{{n: 10, in: time.Second}}, read: readMattermost, took: ok, slow: tooMany},
		{name: "rocketchat", rate: []rate{{n: 10, in: time.Second}}, read: readRocketChat, took: func(*Fake, Message) answer {
			return answer{status: http.StatusOK, body: map[string]any{"success": true}}
		}, slow: func(time.Duration) answer {
			return answer{http.StatusTooManyRequests, nil, map[string]any{"success": false, "error": "error-too-many-requests"}}
		}},
	}
}

type slackText struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Emoji    *bool  `json:"emoji"`
	URL      string `json:"url"`
	ActionID string `json:"action_id"`
}

type slackButton struct {
	Type     string    `json:"type"`
	Text     slackText `json:"text"`
	URL      string    `json:"url"`
	ActionID string    `json:"action_id"`
}

type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text"`
	Fields   []slackText `json:"fields"`
	Elements rawList     `json:"elements"`
}

func readSlack(_ *Fake, r *http.Request, body []byte) (Message, *answer) {
	if refused := isPost(r, "application/json"); refused != nil {
		return Message{}, refused
	}
	var m struct {
		Text        string       `json:"text"`
		Markdown    *bool        `json:"mrkdwn"`
		UnfurlLinks bool         `json:"unfurl_links"`
		UnfurlMedia bool         `json:"unfurl_media"`
		Blocks      []slackBlock `json:"blocks"`
	}
	var shown Message
	if err := strictly(body, &m); err != nil || m.Markdown == nil || *m.Markdown {
		return shown, plainly(http.StatusBadRequest, "invalid_payload")
	}
	if m.Text == "" || shown.entities(m.Text) != nil {
		return shown, plainly(http.StatusBadRequest, "no_text")
	}
	shown.Lines = nil // it is in the blocks too
	sum := 0
	for _, b := range m.Blocks {
		n, err := shown.slackBlock(b)
		if err != nil {
			return shown, plainly(http.StatusBadRequest, "invalid_blocks")
		}
		sum += n
	}
	if len(m.Blocks) == 0 || len(m.Blocks) > 50 || sum > 13200 {
		return shown, plainly(http.StatusBadRequest, "msg_blocks_too_long")
	}
	return shown, nil
}

// slackBlock shows a block and returns its length.
func (s *Shown) slackBlock(b slackBlock) (int, error) {
	sum := 0
	text := func(t slackText, most int) error {
		sum += units(t.Text)
		if t.Type != "plain_text" || t.Text == "" || units(t.Text) > most || t.Emoji == nil || *t.Emoji {
			return fmt.Errorf("not plain text of 1 to %d: %q", most, t.Text)
		}
		return s.entities(t.Text)
	}
	s.Marks = append(s.Marks, b.Type)
	switch {
	case b.Type == "header" && b.Text != nil && b.Fields == nil && b.Elements == nil:
		return sum, text(*b.Text, 150)
	case b.Type == "section" && b.Text != nil && b.Fields == nil && b.Elements == nil:
		return sum, text(*b.Text, 3000)
	case b.Type == "section" && b.Text == nil && len(b.Fields) > 0 && len(b.Fields) <= 10 && len(b.Fields)%2 == 0:
		at := len(s.Lines)
		for _, field := range b.Fields {
			if err := text(field, 2000); err != nil {
				return 0, err
			}
		}
		for i := at; i < len(s.Lines); i++ { // two columns
			s.Lines = append(s.Lines[:i], append([]string{s.Lines[i] + " | " + s.Lines[i+1]}, s.Lines[i+2:]...)...)
		}
		return sum, nil
	case b.Type == "context" && len(b.Elements) == 1:
		var t slackText
		if err := strictly(b.Elements[0], &t); err != nil {
			return 0, err
		}
		return sum, text(t, 3000)
	case b.Type == "actions" && len(b.Elements) == 1:
		var t slackButton
		if err := strictly(b.Elements[0], &t); err != nil || t.Type != "button" || len(t.URL) > 3000 {
			return 0, fmt.Errorf("not a button: %v", err)
		}
		err := text(t.Text, 75)
		s.Lines[len(s.Lines)-1] = "[ " + s.Lines[len(s.Lines)-1] + " ] → " + t.URL
		return sum, err
	}
	return 0, fmt.Errorf("block %q", b.Type)
}

type teamsItem struct {
	Type    string `json:"type"`
	Spacing string `json:"spacing"`
	Inlines []struct {
		Type   string `json:"type"`
		Text   string `json:"text"`
		Weight string `json:"weight"`
		Size   string `json:"size"`
		Color  string `json:"color"`
		Subtle bool   `json:"isSubtle"`
	} `json:"inlines"`
}

type teamsCard struct {
	Schema   string      `json:"$schema"`
	Type     string      `json:"type"`
	Version  string      `json:"version"`
	Fallback string      `json:"fallbackText"`
	Body     []teamsItem `json:"body"`
	Actions  []struct {
		Type  string `json:"type"`
		Title string `json:"title"`
		URL   string `json:"url"`
	} `json:"actions"`
	Teams struct {
		Width string `json:"width"`
	} `json:"msteams"`
}

// teamsMost is what fits before Microsoft's own wrapping.
const teamsMost = 18000

func readTeams(_ *Fake, r *http.Request, body []byte) (Message, *answer) {
	var shown Message
	if refused := isPost(r, "application/json"); refused != nil {
		return shown, refused
	}
	if len(body) > teamsMost {
		return shown, &answer{http.StatusRequestEntityTooLarge, nil, map[string]any{"error": map[string]any{"code": "RequestEntityTooLarge"}}}
	}
	var m struct {
		Type        string `json:"type"`
		Summary     string `json:"summary"`
		Attachments []struct {
			ContentType string    `json:"contentType"`
			ContentURL  *string   `json:"contentUrl"`
			Content     teamsCard `json:"content"`
		} `json:"attachments"`
	}
	// The real one answers 202 and drops a bad card later; a test wants to know.
	if err := strictly(body, &m); err != nil || m.Type != "message" || len(m.Attachments) != 1 ||
		m.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" || m.Attachments[0].Content.Type != "AdaptiveCard" {
		return shown, &answer{http.StatusBadRequest, nil, map[string]any{"error": map[string]any{"code": "TriggerInputSchemaMismatch"}}}
	}
	for _, item := range m.Attachments[0].Content.Body {
		var line strings.Builder
		for _, run := range item.Inlines {
			shown.Marks = append(shown.Marks, item.Type+" "+run.Type)
			line.WriteString(run.Text)
		}
		shown.calls(line.String())
		shown.add(line.String())
	}
	for _, a := range m.Attachments[0].Content.Actions {
		shown.add("[ " + a.Title + " ] → " + a.URL)
	}
	return shown, nil
}

type discordEmbed struct {
	Title       string `json:"title"`
	URL         string `json:"url"`
	Color       int    `json:"color"`
	Description string `json:"description"`
	Fields      []struct {
		Name   string `json:"name"`
		Value  string `json:"value"`
		Inline bool   `json:"inline"`
	} `json:"fields"`
}

// discordActive are the characters of Discord's markdown. A list or a heading must begin a line.
const discordActive = "*_~|`#[]()<>:-"

func readDiscord(_ *Fake, r *http.Request, body []byte) (Message, *answer) {
	var shown Message
	if refused := isPost(r, "application/json"); refused != nil {
		return shown, refused
	}
	bad := func(what string) (Message, *answer) {
		return shown, &answer{http.StatusBadRequest, nil, map[string]any{"code": 50035, "message": "Invalid Form Body: " + what}}
	}
	var m struct {
		Embeds  []discordEmbed `json:"embeds"`
		Allowed struct {
			Parse []string `json:"parse"`
		} `json:"allowed_mentions"`
	}
	if err := strictly(body, &m); err != nil || len(m.Embeds) != 1 || m.Allowed.Parse == nil || len(m.Allowed.Parse) > 0 {
		return bad("not one embed that calls nobody")
	}
	e := m.Embeds[0]
	sum := units(e.Title) + units(e.Description)
	if units(e.Title) > 256 || e.Title == "" || units(e.Description) > 4096 || len(e.Fields) > 25 {
		return bad("title or description")
	}
	shown.markdown(e.Title, discordActive, true)
	if e.URL != "" {
		shown.add("→ " + e.URL)
	}
	shown.markdown(e.Description, discordActive, true)
	for _, f := range e.Fields {
		sum += units(f.Name) + units(f.Value)
		if f.Name == "" || units(f.Name) > 256 || f.Value == "" || units(f.Value) > 1024 {
			return bad("field")
		}
		shown.pair(f.Name, f.Value, discordActive, true)
	}
	if sum > 6000 {
		return bad("more than 6000")
	}
	return shown, nil
}

// pair shows a name and its value in one line.
func (s *Shown) pair(name, value, active string, backslash bool) {
	at := len(s.Lines)
	s.markdown(name, active, backslash)
	s.markdown(value, active, backslash)
	s.Lines = append(s.Lines[:at], strings.Join(s.Lines[at:], " | "))
}

func tookDiscord(f *Fake, _ Message) answer {
	left, after := "5", "2"
	if len(f.rates) > 0 {
		recent := 0
		for _, at := range f.times {
			if f.now().Sub(at) < f.rates[0].in {
				recent++
			}
		}
		left, after = fmt.Sprint(max(0, f.rates[0].n-recent)), seconds(f.rates[0].in)
	}
	return answer{http.StatusOK, map[string]string{"X-RateLimit-Remaining": left, "X-RateLimit-Reset-After": after}, map[string]any{"id": "1"}}
}

type attachments struct {
	Text        string `json:"text"`
	Attachments []struct {
		Fallback  string `json:"fallback"`
		Color     string `json:"color"`
		Text      string `json:"text"`
		Title     string `json:"title"`
		TitleLink string `json:"title_link"`
		Fields    []struct {
			Short bool   `json:"short"`
			Title string `json:"title"`
			Value string `json:"value"`
		} `json:"fields"`
	} `json:"attachments"`
}

// show shows attachments as Mattermost and Rocket.Chat do.
func (s *Shown) show(m attachments, active string, backslash bool) {
	s.markdown(m.Text, active, backslash)
	for _, a := range m.Attachments {
		s.calls(a.Fallback)
		if a.Title != "" {
			s.markdown(a.Title, active, backslash)
			s.Lines[len(s.Lines)-1] += " → " + a.TitleLink
		}
		s.markdown(a.Text, active, backslash)
		for _, f := range a.Fields {
			s.pair(f.Title, f.Value, active, backslash)
		}
	}
}

func readMattermost(_ *Fake, r *http.Request, body []byte) (Message, *answer) {
	var shown Message
	if refused := isPost(r, "application/json"); refused != nil {
		return shown, refused
	}
	var m attachments
	if err := strictly(body, &m); err != nil || m.Text == "" {
		return shown, &answer{http.StatusBadRequest, nil, map[string]any{
			"id": "web.incoming_webhook.parse.app_error", "message": fmt.Sprintf("Unable to parse, or no text: %v", err),
		}}
	}
	if units(string(body)) > 16383 {
		return shown, &answer{http.StatusBadRequest, nil, map[string]any{"id": "web.incoming_webhook.text.length.app_error", "message": "Maximum text length is 16383"}}
	}
	shown.show(m, "*_`[]()#>!|~", true)
	return shown, nil
}

func readRocketChat(_ *Fake, r *http.Request, body []byte) (Message, *answer) {
	var shown Message
	if refused := isPost(r, "application/json"); refused != nil {
		return shown, refused
	}
	var m attachments
	if err := strictly(body, &m); err != nil || m.Text == "" {
		return shown, &answer{http.StatusBadRequest, nil, map[string]any{"success": false, "error": "error-invalid-payload"}}
	}
	if units(m.Text) > 5000 {
		return shown, &answer{http.StatusBadRequest, nil, map[string]any{"success": false, "error": "error-message-size-exceeded"}}
	}
	shown.show(m, "*_`[]#>~|$\\", false)
	return shown, nil
}
