package formats

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// telegram is a bot of Telegram. The address is its sendMessage method with the chat_id, and the message_thread_id
// for a forum topic; both are sent in the body.
type telegram struct{}

// Name implements [Format].
func (telegram) Name() string { return "telegram" }

// Limits implements [Format]. Telegram accepts 20 messages a minute to a group.
func (telegram) Limits() Limits {
	return Limits{Every: 3100 * time.Millisecond, Burst: 1, Chat: true}
}

var telegramPath = regexp.MustCompile(`/bot\d+:[A-Za-z0-9_-]+/sendMessage$`)

// Check implements [Format].
func (f telegram) Check(target Target) error {
	parsed, err := parseAddress(target, f.Name())
	switch {
	case err != nil:
		return err
	case parsed.Hostname() == "t.me":
		return errors.New("the address is a chat's, not a bot's: use https://api.telegram.org/bot<token>/sendMessage?chat_id=…")
	case !telegramPath.MatchString(parsed.Path):
		return errors.New("the address must be https://api.telegram.org/bot<token>/sendMessage?chat_id=…, with the token from @BotFather")
	case parsed.Query().Get("chat_id") == "":
		return errors.New("the address has no chat_id: add the number of the group, or @ and the name of a channel")
	}
	return nil
}

type telegramMessage struct {
	Chat    string `json:"chat_id"`
	Topic   int    `json:"message_thread_id,omitempty"`
	Text    string `json:"text"`
	Mode    string `json:"parse_mode"`
	Preview struct {
		Off bool `json:"is_disabled"`
	} `json:"link_preview_options"`
}

// Request implements [Format].
func (f telegram) Request(message Message, target Target, _ time.Time) (*http.Request, error) {
	parsed, err := parseAddress(target, f.Name())
	if err != nil {
		return nil, err
	}
	payload := telegramMessage{Chat: parsed.Query().Get("chat_id"), Mode: "HTML"}
	payload.Topic, _ = strconv.Atoi(parsed.Query().Get("message_thread_id"))
	payload.Preview.Off = true
	parsed.RawQuery = ""
	rules := textRules{escapeHTML, utf16Length}
	layout := rules.layout(message.Content, textLimits{headline: 600, name: 60, value: 280, line: 280, allLines: 1000, perLine: 5})
	var text strings.Builder
	fmt.Fprintf(&text, "<b>%s</b>\n%s", layout.Headline, layout.status())
	if len(layout.Lines) > 0 {
		text.WriteString("\n" + layout.bullets("\n"))
	}
	for _, fact := range layout.Facts {
		fmt.Fprintf(&text, "\n<i>%s:</i> %s", fact.Name, fact.Value)
	}
	if layout.Link != "" {
		fmt.Fprintf(&text, "\n"+`<a href="%s">%s</a>`, escapeAttribute(layout.Link), layout.LinkText)
	}
	payload.Text = text.String()
	return newJSONRequest(parsed.String(), payload)
}

// escapeAttribute escapes a URL from safeLink for an HTML attribute.
func escapeAttribute(link string) string { return strings.ReplaceAll(link, "&", "&amp;") }

// Result implements [Format].
func (telegram) Result(status int, header http.Header, body []byte, now time.Time) Result {
	result := httpResult("Telegram", status, header, body, now)
	var response struct {
		OK          bool `json:"ok"`
		Code        int  `json:"error_code"`
		Description string
		Parameters  struct {
			RetryAfter float64 `json:"retry_after"`
			Migrate    int64   `json:"migrate_to_chat_id"`
		}
	}
	switch tryJSON(body, &response); {
	case result.OK && response.OK:
		return result
	case result.OK && response.Code == 0:
		return Result{Reason: formatReason("Telegram", "200", "no ok in the response: this is not Telegram", excerpt(body))}
	case response.Code == 0:
		return result
	}
	means := ""
	result = Result{RateLimited: response.Code == http.StatusTooManyRequests, RetryAfter: max(result.RetryAfter, boundedSeconds(response.Parameters.RetryAfter))}
	switch {
	case response.Parameters.Migrate != 0:
		means = fmt.Sprintf("the group became a supergroup: use chat_id=%d in the address", response.Parameters.Migrate)
	case strings.Contains(response.Description, "kicked") || strings.Contains(response.Description, "group chat was deleted"):
		means, result.Gone = "the bot was removed from the group", true
	case strings.Contains(response.Description, "message is too long") || strings.Contains(response.Description, "can't parse entities"):
		means, result.Permanent = "the message is too long or not valid", true
	case response.Code == http.StatusUnauthorized || response.Code == http.StatusNotFound:
		means = "the bot's token is wrong"
	case result.RateLimited:
		means = "too many messages"
	}
	result.Reason = formatReason("Telegram", strconv.Itoa(response.Code), means, excerpt([]byte(response.Description)))
	return result
}
