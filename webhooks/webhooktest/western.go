package webhooktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf16"
)

func utf16Length(text string) int { return len(utf16.Encode([]rune(text))) }

func westernServices() []service {
	ok := func(*Fake, Message) response { return response{status: http.StatusOK, body: "ok"} }
	return []service{
		{name: "slack", rates: []rateLimit{{count: 4, period: time.Second}}, read: readSlack, accept: ok, rateLimited: func(after time.Duration) response {
			return response{http.StatusTooManyRequests, map[string]string{"Retry-After": seconds(after)}, "rate_limited"}
		}},
		{name: "teams", rates: []rateLimit{{count: 4, period: time.Second}}, read: readTeams, accept: func(*Fake, Message) response {
			return response{status: http.StatusAccepted, body: ""}
		}, rateLimited: tooManyRequests},
		{name: "discord", rates: []rateLimit{{count: 5, period: 2 * time.Second}}, read: readDiscord, accept: acceptDiscord, rateLimited: func(after time.Duration) response {
			return response{http.StatusTooManyRequests, map[string]string{"Retry-After": seconds(after), "X-RateLimit-Remaining": "0"}, map[string]any{
				"message": "You are being rate limited.", "retry_after": after.Seconds(), "global": false,
			}}
		}},
		{name: "mattermost", rates: []rateLimit{{count: 10, period: time.Second}}, read: readMattermost, accept: ok, rateLimited: tooManyRequests},
		{name: "rocketchat", rates: []rateLimit{{count: 10, period: time.Second}}, read: readRocketChat, accept: func(*Fake, Message) response {
			return response{status: http.StatusOK, body: map[string]any{"success": true}}
		}, rateLimited: func(time.Duration) response {
			return response{http.StatusTooManyRequests, nil, map[string]any{"success": false, "error": "error-too-many-requests"}}
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

func readSlack(_ *Fake, r *http.Request, body []byte) (Message, *response) {
	if refusal := requirePost(r, "application/json"); refusal != nil {
		return Message{}, refusal
	}
	var payload struct {
		Text        string       `json:"text"`
		Markdown    *bool        `json:"mrkdwn"`
		UnfurlLinks bool         `json:"unfurl_links"`
		UnfurlMedia bool         `json:"unfurl_media"`
		Blocks      []slackBlock `json:"blocks"`
	}
	var message Message
	if err := decodeStrict(body, &payload); err != nil || payload.Markdown == nil || *payload.Markdown {
		return message, plainResponse(http.StatusBadRequest, "invalid_payload")
	}
	if payload.Text == "" || message.addSlackText(payload.Text) != nil {
		return message, plainResponse(http.StatusBadRequest, "no_text")
	}
	message.Lines = nil // the blocks repeat it
	sum := 0
	for _, block := range payload.Blocks {
		length, err := message.addSlackBlock(block)
		if err != nil {
			return message, plainResponse(http.StatusBadRequest, "invalid_blocks")
		}
		sum += length
	}
	if len(payload.Blocks) == 0 || len(payload.Blocks) > 50 || sum > 13200 {
		return message, plainResponse(http.StatusBadRequest, "msg_blocks_too_long")
	}
	return message, nil
}

// addSlackBlock adds a block and returns the length of its texts in UTF-16 code units.
func (r *Rendered) addSlackBlock(block slackBlock) (int, error) {
	r.Markup = append(r.Markup, block.Type)
	fields, elements := len(block.Fields), len(block.Elements)
	if block.Text != nil && fields+elements > 0 {
		return 0, fmt.Errorf("block %q has a text and other parts", block.Type)
	}
	switch {
	case block.Type == "header" && block.Text != nil:
		return r.addSlackPlain(*block.Text, 150)
	case block.Type == "section" && block.Text != nil:
		return r.addSlackPlain(*block.Text, 3000)
	case block.Type == "section" && fields > 0:
		return r.addSlackFields(block.Fields)
	case block.Type == "context" && elements == 1:
		var element slackText
		if err := decodeStrict(block.Elements[0], &element); err != nil {
			return 0, err
		}
		return r.addSlackPlain(element, 3000)
	case block.Type == "actions" && elements == 1:
		return r.addSlackButton(block.Elements[0])
	}
	return 0, fmt.Errorf("block %q", block.Type)
}

// addSlackPlain adds a plain_text object and returns its length.
func (r *Rendered) addSlackPlain(element slackText, limit int) (int, error) {
	length := utf16Length(element.Text)
	if element.Type != "plain_text" || length == 0 || length > limit || element.Emoji == nil || *element.Emoji {
		return 0, fmt.Errorf("not plain text of 1 to %d: %q", limit, element.Text)
	}
	return length, r.addSlackText(element.Text)
}

// addSlackFields adds the fields of a section, in two columns, and returns their length.
func (r *Rendered) addSlackFields(fields []slackText) (sum int, err error) {
	if len(fields) > 10 || len(fields)%2 != 0 {
		return 0, fmt.Errorf("%d fields", len(fields))
	}
	at := len(r.Lines)
	for _, field := range fields {
		length, err := r.addSlackPlain(field, 2000)
		if err != nil {
			return 0, err
		}
		sum += length
	}
	for i := at; i < len(r.Lines); i++ {
		r.Lines = append(r.Lines[:i], append([]string{r.Lines[i] + " | " + r.Lines[i+1]}, r.Lines[i+2:]...)...)
	}
	return sum, nil
}

// addSlackButton adds a button and returns the length of its text.
func (r *Rendered) addSlackButton(element json.RawMessage) (int, error) {
	var button slackButton
	if err := decodeStrict(element, &button); err != nil {
		return 0, err
	}
	if button.Type != "button" || len(button.URL) > 3000 {
		return 0, fmt.Errorf("not a button: %s", button.Type)
	}
	length, err := r.addSlackPlain(button.Text, 75)
	if err != nil {
		return 0, err
	}
	r.Lines[len(r.Lines)-1] = "[ " + r.Lines[len(r.Lines)-1] + " ] → " + button.URL
	return length, nil
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

// teamsMaxBytes is the limit before Microsoft wraps the card.
const teamsMaxBytes = 18000

func readTeams(_ *Fake, r *http.Request, body []byte) (Message, *response) {
	var message Message
	if refusal := requirePost(r, "application/json"); refusal != nil {
		return message, refusal
	}
	if len(body) > teamsMaxBytes {
		return message, &response{http.StatusRequestEntityTooLarge, nil, map[string]any{"error": map[string]any{"code": "RequestEntityTooLarge"}}}
	}
	var payload struct {
		Type        string `json:"type"`
		Summary     string `json:"summary"`
		Attachments []struct {
			ContentType string    `json:"contentType"`
			ContentURL  *string   `json:"contentUrl"`
			Content     teamsCard `json:"content"`
		} `json:"attachments"`
	}
	// Teams accepts an invalid card with 202 and drops it later. The fake rejects it.
	if err := decodeStrict(body, &payload); err != nil || payload.Type != "message" || len(payload.Attachments) != 1 ||
		payload.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" || payload.Attachments[0].Content.Type != "AdaptiveCard" {
		return message, &response{http.StatusBadRequest, nil, map[string]any{"error": map[string]any{"code": "TriggerInputSchemaMismatch"}}}
	}
	for _, item := range payload.Attachments[0].Content.Body {
		var line strings.Builder
		for _, run := range item.Inlines {
			message.Markup = append(message.Markup, item.Type+" "+run.Type)
			line.WriteString(run.Text)
		}
		message.addMentions(line.String())
		message.addText(line.String())
	}
	for _, action := range payload.Attachments[0].Content.Actions {
		message.addText("[ " + action.Title + " ] → " + action.URL)
	}
	return message, nil
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

// discordMarkup contains Discord's markup characters.
const discordMarkup = "*_~|`#[]()<>:-"

func readDiscord(_ *Fake, r *http.Request, body []byte) (Message, *response) {
	var message Message
	if refusal := requirePost(r, "application/json"); refusal != nil {
		return message, refusal
	}
	invalid := func(field string) (Message, *response) {
		return message, &response{http.StatusBadRequest, nil, map[string]any{"code": 50035, "message": "Invalid Form Body: " + field}}
	}
	var payload struct {
		Embeds  []discordEmbed `json:"embeds"`
		Allowed struct {
			Parse []string `json:"parse"`
		} `json:"allowed_mentions"`
	}
	if err := decodeStrict(body, &payload); err != nil || len(payload.Embeds) != 1 || payload.Allowed.Parse == nil || len(payload.Allowed.Parse) > 0 {
		return invalid("want one embed without mentions")
	}
	if field := message.addDiscordEmbed(payload.Embeds[0]); field != "" {
		return invalid(field)
	}
	return message, nil
}

// addDiscordEmbed adds an embed. It returns the part that exceeds a limit, if any.
func (r *Rendered) addDiscordEmbed(embed discordEmbed) (invalid string) {
	sum := utf16Length(embed.Title) + utf16Length(embed.Description)
	if utf16Length(embed.Title) > 256 || embed.Title == "" || utf16Length(embed.Description) > 4096 || len(embed.Fields) > 25 {
		return "title or description"
	}
	r.addMarkdown(embed.Title, discordMarkup, true)
	if embed.URL != "" {
		r.addText("→ " + embed.URL)
	}
	r.addMarkdown(embed.Description, discordMarkup, true)
	for _, field := range embed.Fields {
		sum += utf16Length(field.Name) + utf16Length(field.Value)
		if field.Name == "" || utf16Length(field.Name) > 256 || field.Value == "" || utf16Length(field.Value) > 1024 {
			return "field"
		}
		r.addPair(field.Name, field.Value, discordMarkup, true)
	}
	if sum > 6000 {
		return "more than 6000"
	}
	return ""
}

// addPair adds a name and its value as one line.
func (r *Rendered) addPair(name, value, active string, backslash bool) {
	at := len(r.Lines)
	r.addMarkdown(name, active, backslash)
	r.addMarkdown(value, active, backslash)
	r.Lines = append(r.Lines[:at], strings.Join(r.Lines[at:], " | "))
}

func acceptDiscord(fake *Fake, _ Message) response {
	left, after := "5", "2"
	if len(fake.rates) > 0 {
		recent := 0
		for _, at := range fake.requestTimes {
			if fake.now().Sub(at) < fake.rates[0].period {
				recent++
			}
		}
		left, after = fmt.Sprint(max(0, fake.rates[0].count-recent)), seconds(fake.rates[0].period)
	}
	return response{http.StatusOK, map[string]string{"X-RateLimit-Remaining": left, "X-RateLimit-Reset-After": after}, map[string]any{"id": "1"}}
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

// addAttachments adds attachments of Mattermost and Rocket.Chat.
func (r *Rendered) addAttachments(payload attachments, active string, backslash bool) {
	r.addMarkdown(payload.Text, active, backslash)
	for _, attachment := range payload.Attachments {
		r.addMentions(attachment.Fallback)
		if attachment.Title != "" {
			r.addMarkdown(attachment.Title, active, backslash)
			r.Lines[len(r.Lines)-1] += " → " + attachment.TitleLink
		}
		r.addMarkdown(attachment.Text, active, backslash)
		for _, field := range attachment.Fields {
			r.addPair(field.Title, field.Value, active, backslash)
		}
	}
}

func readMattermost(_ *Fake, r *http.Request, body []byte) (Message, *response) {
	var message Message
	if refusal := requirePost(r, "application/json"); refusal != nil {
		return message, refusal
	}
	var payload attachments
	if err := decodeStrict(body, &payload); err != nil || payload.Text == "" {
		return message, &response{http.StatusBadRequest, nil, map[string]any{
			"id": "web.incoming_webhook.parse.app_error", "message": fmt.Sprintf("Unable to parse, or no text: %v", err),
		}}
	}
	if utf16Length(string(body)) > 16383 {
		return message, &response{http.StatusBadRequest, nil, map[string]any{"id": "web.incoming_webhook.text.length.app_error", "message": "Maximum text length is 16383"}}
	}
	message.addAttachments(payload, "*_`[]()#>!|~", true)
	return message, nil
}

func readRocketChat(_ *Fake, r *http.Request, body []byte) (Message, *response) {
	var message Message
	if refusal := requirePost(r, "application/json"); refusal != nil {
		return message, refusal
	}
	var payload attachments
	if err := decodeStrict(body, &payload); err != nil || payload.Text == "" {
		return message, &response{http.StatusBadRequest, nil, map[string]any{"success": false, "error": "error-invalid-payload"}}
	}
	if utf16Length(payload.Text) > 5000 {
		return message, &response{http.StatusBadRequest, nil, map[string]any{"success": false, "error": "error-message-size-exceeded"}}
	}
	message.addAttachments(payload, "*_`[]#>~|$\\", false)
	return message, nil
}
