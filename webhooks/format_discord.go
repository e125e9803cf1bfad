package webhooks

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// discord is a webhook of Discord. An embed calls nobody, and allowed_mentions says so once more.
type discord struct{}

// Name implements [Format].
func (discord) Name() string { return "discord" }

// Limits implements [Format]. The answers say how many are left; these are only the beginning.
func (discord) Limits() Limits { return Limits{Every: 2 * time.Second, Burst: 4, Chat: true} }

// Check implements [Format].
func (f discord) Check(target Target) error {
	parsed, err := parseAddress(target, f.Name())
	switch {
	case err != nil:
		return err
	case strings.HasSuffix(parsed.Path, "/slack") || strings.HasSuffix(parsed.Path, "/github"):
		return errors.New("leave out the last part of the address, /slack or /github: Tandem speaks Discord's own format")
	case !strings.Contains(parsed.Path, "/webhooks/"):
		return errors.New("this is not a webhook of Discord: in the channel's settings choose Integrations, Webhooks, and copy " +
			"its URL, https://discord.com/api/webhooks/…")
	}
	return nil
}

type discordField struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

type discordEmbed struct {
	Title       string         `json:"title"`
	URL         string         `json:"url,omitempty"`
	Color       int            `json:"color"`
	Description string         `json:"description"`
	Fields      []discordField `json:"fields,omitempty"`
}

type discordMessage struct {
	Embeds  []discordEmbed `json:"embeds"`
	Allowed struct {
		Parse []string `json:"parse"`
	} `json:"allowed_mentions"`
}

// Request implements [Format]. Without wait=true a message that was not saved would give no error.
func (discord) Request(message Message, target Target, _ time.Time) (*http.Request, error) {
	to, err := withParameters(target.URL, "wait", "true")
	if err != nil {
		return nil, err
	}
	rules := textRules{escapeMarkdown, utf16Length}
	layout := rules.layout(message.Content, textLimits{headline: 256, name: 100, value: 600, line: 280, allLines: 2200, perLine: 3})
	color, err := strconv.ParseInt(layout.Tone.hexColor()[1:], 16, 32)
	if err != nil {
		return nil, err
	}
	embed := discordEmbed{Title: layout.Headline, URL: layout.Link, Color: int(color), Description: layout.Tone.emoji()}
	if layout.StateWord != "" {
		embed.Description += " **" + layout.StateWord + "**"
	}
	if len(layout.Lines) > 0 {
		embed.Description += "\n" + layout.bullets("\n")
	}
	for _, fact := range layout.Facts {
		embed.Fields = append(embed.Fields, discordField{fact.Name, fact.Value, true})
	}
	payload := discordMessage{Embeds: []discordEmbed{embed}}
	payload.Allowed.Parse = []string{}
	return newJSONRequest(to, payload)
}

var discordErrors = map[string]codeMeaning{
	"10015": {"the webhook was deleted", endpointGone},
	"10003": {"the channel was deleted", endpointGone},
	"50027": {"the webhook's token is wrong", endpointGone},
	"50035": {"the message is not valid", permanentFailure},
	"40005": {"the message is too large", permanentFailure},
	"50006": {"the message is empty", permanentFailure},
}

// Result implements [Format]. Where the answer says that nothing is left, the next message waits.
func (discord) Result(status int, header http.Header, body []byte, now time.Time) Result {
	result := httpResult("Discord", status, header, body, now)
	var response struct {
		Code       int
		Message    string
		RetryAfter float64 `json:"retry_after"`
	}
	tryJSON(body, &response)
	if header.Get("X-RateLimit-Remaining") == "0" {
		left, _ := strconv.ParseFloat(header.Get("X-RateLimit-Reset-After"), 64)
		result.RetryAfter = max(result.RetryAfter, boundedSeconds(left))
	}
	if result.OK || result.RateLimited {
		result.RetryAfter = max(result.RetryAfter, boundedSeconds(response.RetryAfter))
		return result
	}
	if response.Code != 0 {
		return codeResult("Discord", strconv.Itoa(response.Code), response.Message, discordErrors, result)
	}
	return result
}
