package webhooks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answered reads what HTTP itself says of an attempt. A format goes on where its tool says more.
func answered(tool string, status int, header http.Header, body []byte, now time.Time) Result {
	r := Result{After: retryAfter(header, now)}
	switch {
	case status >= 200 && status < 300:
		return Result{OK: true, After: r.After}
	case status == http.StatusGone:
		r.Gone = true
	case status == http.StatusTooManyRequests:
		r.Slow = true
	case status == http.StatusRequestEntityTooLarge:
		r.Never = true
	case status >= 300 && status < 400:
		r.Reason = fmt.Sprintf("%s answered %d: redirects are not followed; enter the address it moved to", tool, status)
		return r
	}
	r.Reason = reason(tool, strconv.Itoa(status), meaning(status), excerpt(body))
	return r
}

func meaning(status int) string {
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

// reason says "Feishu code 19021: signature or time (sign match fail)".
func reason(tool, code, means, said string) string {
	code = script{size: countUnits}.write(code, 80)
	text := tool + " code " + code
	switch _, err := strconv.Atoi(code); {
	case code == "":
		text = tool + " refused it"
	case err == nil && len(code) == 3:
		text = tool + " answered " + code
	}
	if means != "" {
		text += ": " + means
	}
	if said != "" {
		text += " (" + said + ")"
	}
	return text
}

// excerpt returns the beginning of what an endpoint said, if it is text.
func excerpt(body []byte) string {
	text := strings.TrimSpace(string(body[:min(len(body), 1000)]))
	if strings.HasPrefix(text, "<") {
		return "" // a page for a browser
	}
	return script{size: countUnits}.write(text, 200)
}

// retryAfter reads the header: seconds or a date, and never more than a day.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if at, err := http.ParseTime(value); err == nil {
		return wait(at.Sub(now).Seconds())
	}
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return 0
	}
	return wait(seconds)
}

// wait returns seconds as a duration between nothing and a day; what is no number is nothing.
func wait(seconds float64) time.Duration {
	if !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, 24*60*60) * float64(time.Second))
}

// known reads a JSON answer. What is not JSON leaves v as it was.
func known(body []byte, v any) { _ = json.Unmarshal(body, v) }

// verdict is what a tool's error code means, and what to do.
type verdict struct {
	means string
	then  Result
}

// refused is the result of an error that the tool gave a code, on top of what HTTP says of it.
func refused(tool, code, said string, codes map[string]verdict, r Result) Result {
	v := codes[code]
	return Result{
		Gone: v.then.Gone || r.Gone, Never: v.then.Never || r.Never, Slow: v.then.Slow || r.Slow,
		After: max(v.then.After, r.After), Reason: reason(tool, code, v.means, excerpt([]byte(said))),
	}
}

// The usual ends of an attempt that a tool refused.
var (
	gone  = Result{Gone: true}
	never = Result{Never: true}
)

func slow(after time.Duration) Result { return Result{Slow: true, After: after} }
