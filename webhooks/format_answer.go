package webhooks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// httpResult reads what HTTP itself says of an attempt. A format goes on where its tool says more.
func httpResult(service string, status int, header http.Header, body []byte, now time.Time) Result {
	result := Result{RetryAfter: parseRetryAfter(header, now)}
	switch {
	case status >= 200 && status < 300:
		return Result{OK: true, RetryAfter: result.RetryAfter}
	case status == http.StatusGone:
		result.Gone = true
	case status == http.StatusTooManyRequests:
		result.RateLimited = true
	case status == http.StatusRequestEntityTooLarge:
		result.Permanent = true
	case status >= 300 && status < 400:
		result.Reason = fmt.Sprintf("%s answered %d: redirects are not followed; enter the address it moved to", service, status)
		return result
	}
	result.Reason = formatReason(service, strconv.Itoa(status), statusMeaning(status), excerpt(body))
	return result
}

func statusMeaning(status int) string {
	switch status {
	case http.StatusGone:
		return "the endpoint is gone for good"
	case http.StatusTooManyRequests:
		return "too many messages"
	case http.StatusRequestEntityTooLarge:
		return "the message is too large"
	}
	return strings.ToLower(http.StatusText(status))
}

// formatReason says "Feishu code 19021: signature or time (sign match fail)".
func formatReason(service, code, meaning, response string) string {
	code = textRules{size: utf16Length}.render(code, 80)
	text := service + " code " + code
	switch _, err := strconv.Atoi(code); {
	case code == "":
		text = service + " refused it"
	case err == nil && len(code) == 3:
		text = service + " answered " + code
	}
	if meaning != "" {
		text += ": " + meaning
	}
	if response != "" {
		text += " (" + response + ")"
	}
	return text
}

// excerpt returns the beginning of what an endpoint said, if it is text.
func excerpt(body []byte) string {
	text := strings.TrimSpace(string(body[:min(len(body), 1000)]))
	if strings.HasPrefix(text, "<") {
		return "" // a page for a browser
	}
	return textRules{size: utf16Length}.render(text, 200)
}

// parseRetryAfter reads the header: seconds or a date, and never more than a day.
func parseRetryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if at, err := http.ParseTime(value); err == nil {
		return boundedSeconds(at.Sub(now).Seconds())
	}
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return 0
	}
	return boundedSeconds(seconds)
}

// boundedSeconds returns seconds as a duration between nothing and a day; what is no number is nothing.
func boundedSeconds(seconds float64) time.Duration {
	if !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, 24*60*60) * float64(time.Second))
}

// tryJSON reads a JSON answer. What is not JSON leaves v as it was.
func tryJSON(body []byte, value any) { _ = json.Unmarshal(body, value) }

// codeMeaning is what a tool's error code means, and what to do.
type codeMeaning struct {
	text   string
	result Result
}

// codeResult is the result of an error that the tool gave a code, on top of what HTTP says of it.
func codeResult(service, code, response string, codes map[string]codeMeaning, result Result) Result {
	meaning := codes[code]
	return Result{
		Gone: meaning.result.Gone || result.Gone, Permanent: meaning.result.Permanent || result.Permanent, RateLimited: meaning.result.RateLimited || result.RateLimited,
		RetryAfter: max(meaning.result.RetryAfter, result.RetryAfter), Reason: formatReason(service, code, meaning.text, excerpt([]byte(response))),
	}
}

// The usual ends of an attempt that a tool refused.
var (
	endpointGone     = Result{Gone: true}
	permanentFailure = Result{Permanent: true}
)

func rateLimitedFor(after time.Duration) Result { return Result{RateLimited: true, RetryAfter: after} }
