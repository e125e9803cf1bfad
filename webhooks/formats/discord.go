package formats

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// discord is a webhook of Discord. Embeds mention no one, and allowed_mentions is empty as well.
type discord struct{}

// Name implements [Format].
func (discord) Name() string { return "discord" }

// Limits implements [Format]. Responses report the remaining requests; see Result.
func (discord) Limits() Limits { return Limits{Every: 2 * time.Second, Burst: 4, Chat: true} }

// Check implements [Format].
func (f discord) Check(target Target) error {
	parsed, err := parseAddress(target, f.Name())
	switch {
	case err != nil:
		return err
	case strings.HasSuffix(parsed.Path, "/slack") || strings.HasSuffix(parsed.Path, "/github"):
		return errors.New("the address ends in /slack or /github: remove that part, because Tandem uses Discord's own format")
	case !strings.Contains(parsed.Path, "/webhooks/"):
		return errors.New("the address is not a Discord webhook: in the channel's settings choose Integrations, Webhooks, and copy " +
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

// Request implements [Format]. With wait=true, Discord reports an error if it does not save the message.
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

// Result implements [Format]. If a response reports no remaining requests, the next message waits for the reset.
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
