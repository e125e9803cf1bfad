package webhooktest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// plainly answers with a status alone.
func plainly(status int, text string) *answer { return &answer{status: status, body: text} }

func tooMany(after time.Duration) answer {
	return answer{http.StatusTooManyRequests, map[string]string{"Retry-After": seconds(after)}, "too many requests"}
}

// seconds rounds up, as servers do.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

func isPost(r *http.Request, contentType string) *answer {
	if r.Method != http.MethodPost {
		return plainly(http.StatusMethodNotAllowed, "POST only")
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != contentType {
		return plainly(http.StatusUnsupportedMediaType, "not "+contentType)
	}
	return nil
}

func programs() []tool {
	done := func(*Fake, Message) answer { return answer{status: http.StatusNoContent, body: ""} }
	return []tool{
		{name: "standard", read: readStandard, took: done, slow: tooMany},
		{name: "cloudevents", read: readCloudEvents, took: done, slow: tooMany},
	}
}

// verified checks the signature as a receiver of Standard Webhooks does: five minutes either way.
func verified(f *Fake, r *http.Request, body []byte) *answer {
	if len(f.secrets) == 0 {
		return nil
	}
	id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	unix, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" || f.now().Sub(time.Unix(unix, 0)).Abs() > 5*time.Minute {
		return plainly(http.StatusUnauthorized, "no id, or not the time")
	}
	for _, secret := range f.secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			return plainly(http.StatusInternalServerError, "the fake's secret is no secret")
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + at + "." + string(body)))
		want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		for given := range strings.FieldsSeq(r.Header.Get("webhook-signature")) {
			if hmac.Equal([]byte(given), []byte(want)) {
				return nil
			}
		}
	}
	return plainly(http.StatusUnauthorized, "no signature fits")
}

func readStandard(f *Fake, r *http.Request, body []byte) (Message, *answer) {
	if refused := isPost(r, "application/json"); refused != nil {
		return Message{}, refused
	}
	if refused := verified(f, r, body); refused != nil {
		return Message{}, refused
	}
	var e struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}
	if err := strictly(body, &e); err != nil || e.Type == "" || e.Timestamp.IsZero() || len(e.Data) == 0 {
		return Message{}, plainly(http.StatusBadRequest, fmt.Sprintf("not type, timestamp and data: %v", err))
	}
	m := Message{ID: r.Header.Get("webhook-id")}
	m.Lines = []string{e.Type + " at " + e.Timestamp.UTC().Format(time.RFC3339), string(e.Data)}
	return m, nil
}

func readCloudEvents(f *Fake, r *http.Request, body []byte) (Message, *answer) {
	if refused := isPost(r, "application/cloudevents+json"); refused != nil {
		return Message{}, refused
	}
	if refused := verified(f, r, body); refused != nil {
		return Message{}, refused
	}
	var e struct {
		SpecVersion     string          `json:"specversion"`
		ID              string          `json:"id"`
		Source          string          `json:"source"`
		Type            string          `json:"type"`
		Subject         string          `json:"subject"`
		Time            time.Time       `json:"time"`
		DataContentType string          `json:"datacontenttype"`
		Data            json.RawMessage `json:"data"`
	}
	if err := strictly(body, &e); err != nil || e.SpecVersion != "1.0" || e.ID == "" || e.Source == "" || e.Type == "" ||
		e.DataContentType != "application/json" {
		return Message{}, plainly(http.StatusBadRequest, fmt.Sprintf("not a CloudEvent: %v", err))
	}
	m := Message{ID: e.ID}
	m.Lines = []string{e.Type + " at " + e.Time.UTC().Format(time.RFC3339), e.Source + " " + e.Subject, string(e.Data)}
	return m, nil
}
