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

// plainResponse returns a response with a plain-text body.
func plainResponse(status int, text string) *response { return &response{status: status, body: text} }

func tooManyRequests(after time.Duration) response {
	return response{http.StatusTooManyRequests, map[string]string{"Retry-After": seconds(after)}, "too many requests"}
}

// seconds formats a duration for Retry-After, rounded up.
func seconds(duration time.Duration) string {
	return strconv.Itoa(int((duration + time.Second - 1) / time.Second))
}

func requirePost(r *http.Request, contentType string) *response {
	if r.Method != http.MethodPost {
		return plainResponse(http.StatusMethodNotAllowed, "POST only")
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != contentType {
		return plainResponse(http.StatusUnsupportedMediaType, "not "+contentType)
	}
	return nil
}

func programReceivers() []service {
	done := func(*Fake, Message) response { return response{status: http.StatusNoContent, body: ""} }
	return []service{
		{name: "standard", read: readStandard, accept: done, rateLimited: tooManyRequests},
		{name: "cloudevents", read: readCloudEvents, accept: done, rateLimited: tooManyRequests},
	}
}

// verifySignature checks a signature of Standard Webhooks. The clock may differ by five minutes.
func verifySignature(fake *Fake, r *http.Request, body []byte) *response {
	if len(fake.secrets) == 0 {
		return nil
	}
	id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	unix, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" || fake.now().Sub(time.Unix(unix, 0)).Abs() > 5*time.Minute {
		return plainResponse(http.StatusUnauthorized, "no id, or wrong timestamp")
	}
	for _, secret := range fake.secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			return plainResponse(http.StatusInternalServerError, "the secret of the fake is not valid")
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
	return plainResponse(http.StatusUnauthorized, "no signature matches")
}

func readStandard(fake *Fake, r *http.Request, body []byte) (Message, *response) {
	if refusal := requirePost(r, "application/json"); refusal != nil {
		return Message{}, refusal
	}
	if refusal := verifySignature(fake, r, body); refusal != nil {
		return Message{}, refusal
	}
	var envelope struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}
	if err := decodeStrict(body, &envelope); err != nil || envelope.Type == "" || envelope.Timestamp.IsZero() || len(envelope.Data) == 0 {
		return Message{}, plainResponse(http.StatusBadRequest, fmt.Sprintf("not type, timestamp and data: %v", err))
	}
	message := Message{ID: r.Header.Get("webhook-id")}
	message.Lines = []string{envelope.Type + " at " + envelope.Timestamp.UTC().Format(time.RFC3339), string(envelope.Data)}
	return message, nil
}

func readCloudEvents(fake *Fake, r *http.Request, body []byte) (Message, *response) {
	if refusal := requirePost(r, "application/cloudevents+json"); refusal != nil {
		return Message{}, refusal
	}
	if refusal := verifySignature(fake, r, body); refusal != nil {
		return Message{}, refusal
	}
	var event struct {
		SpecVersion     string          `json:"specversion"`
		ID              string          `json:"id"`
		Source          string          `json:"source"`
		Type            string          `json:"type"`
		Subject         string          `json:"subject"`
		Time            time.Time       `json:"time"`
		DataContentType string          `json:"datacontenttype"`
		Data            json.RawMessage `json:"data"`
	}
	if err := decodeStrict(body, &event); err != nil || event.SpecVersion != "1.0" || event.ID == "" || event.Source == "" || event.Type == "" ||
		event.DataContentType != "application/json" {
		return Message{}, plainResponse(http.StatusBadRequest, fmt.Sprintf("not a CloudEvent: %v", err))
	}
	message := Message{ID: event.ID}
	message.Lines = []string{event.Type + " at " + event.Time.UTC().Format(time.RFC3339), event.Source + " " + event.Subject, string(event.Data)}
	return message, nil
}
