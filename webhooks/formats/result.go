package formats

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// httpResult interprets the status and headers of a response. Formats refine it with the error codes of their service.
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
		result.Reason = fmt.Sprintf("%s answered %d: redirects are not followed; enter the new address", service, status)
		return result
	}
	result.Reason = formatReason(service, strconv.Itoa(status), statusMeaning(status), excerpt(body))
	return result
}

// statusMeaning describes an HTTP status.
func statusMeaning(status int) string {
	switch status {
	case http.StatusGone:
		return "the endpoint was removed"
	case http.StatusTooManyRequests:
		return "too many messages"
	case http.StatusRequestEntityTooLarge:
		return "the message is too large"
	}
	return strings.ToLower(http.StatusText(status))
}

// formatReason returns a reason such as "Feishu code 19021: wrong signature or time (sign match fail)".
func formatReason(service, code, meaning, response string) string {
	code = Truncate(code, 80)
	text := service + " code " + code
	switch _, err := strconv.Atoi(code); {
	case code == "":
		text = service + " refused the message"
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

// excerpt returns the beginning of a response, or "" for HTML.
func excerpt(body []byte) string {
	text := strings.TrimSpace(string(body[:min(len(body), 1000)]))
	if strings.HasPrefix(text, "<") {
		return ""
	}
	return Truncate(text, 200)
}

// parseRetryAfter reads the Retry-After header, in seconds or as a date. The result is at most a day.
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

// boundedSeconds converts seconds to a duration between 0 and a day. NaN is 0.
func boundedSeconds(seconds float64) time.Duration {
	if !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, 24*60*60) * float64(time.Second))
}

// tryJSON decodes a JSON response. On errors the rest of value stays unchanged.
func tryJSON(body []byte, value any) { _ = json.Unmarshal(body, value) }

// codeMeaning describes an error code of a service and the result that follows from it.
type codeMeaning struct {
	text   string
	result Result
}

// codeResult adds the meaning of an error code of a service to the result of the HTTP status.
func codeResult(service, code, response string, codes map[string]codeMeaning, result Result) Result {
	meaning := codes[code]
	return Result{
		Gone: meaning.result.Gone || result.Gone, Permanent: meaning.result.Permanent || result.Permanent, RateLimited: meaning.result.RateLimited || result.RateLimited,
		RetryAfter: max(meaning.result.RetryAfter, result.RetryAfter), Reason: formatReason(service, code, meaning.text, excerpt([]byte(response))),
	}
}

// Results of common error codes.
var (
	endpointGone     = Result{Gone: true}
	permanentFailure = Result{Permanent: true}
)

func rateLimitedFor(after time.Duration) Result { return Result{RateLimited: true, RetryAfter: after} }
