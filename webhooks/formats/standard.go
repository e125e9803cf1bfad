package formats

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// standard is Standard Webhooks 1.0.0 (https://www.standardwebhooks.com), for programs.
type standard struct{}

// Name implements [Format].
func (standard) Name() string { return "standard" }

// Limits implements [Format].
func (standard) Limits() Limits { return Limits{} }

// Check implements [Format].
func (f standard) Check(target Target) error {
	if _, err := parseAddress(target, f.Name()); err != nil {
		return err
	}
	for _, secret := range target.Secrets {
		if _, err := signingKey(secret); err != nil {
			return err
		}
	}
	return nil
}

// Request implements [Format].
func (standard) Request(message Message, target Target, now time.Time) (*http.Request, error) {
	return signedRequest(message.ID, target, "application/json", message.Body, now)
}

// Result implements [Format]. A status of 2xx is a success, and 410 disables the webhook.
func (standard) Result(status int, header http.Header, body []byte, now time.Time) Result {
	return httpResult("The endpoint", status, header, body, now)
}

// signedRequest returns a request with the headers of Standard Webhooks. The timestamp is the time of the attempt.
// There is one signature for each secret, so that a receiver can switch to a new secret at any time during a
// rotation.
func signedRequest(id string, target Target, contentType string, body []byte, now time.Time) (*http.Request, error) {
	request, err := newRequest(http.MethodPost, target.URL, contentType, body)
	if err != nil {
		return nil, err
	}
	at := strconv.FormatInt(now.Unix(), 10)
	request.Header.Set("webhook-id", id)
	request.Header.Set("webhook-timestamp", at)
	var signatures []string
	for _, secret := range target.Secrets {
		key, err := signingKey(secret)
		if err != nil {
			return nil, err
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if len(signatures) > 0 {
		request.Header.Set("webhook-signature", strings.Join(signatures, " "))
	}
	return request, nil
}

// signingKey decodes a secret such as whsec_MfKQ….
func signingKey(secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(secret), "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("the secret must be whsec_ followed by 24 to 64 bytes in base64")
	}
	return key, nil
}
