package formats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// newRequest returns a request with a body. Its errors omit the URL, which may contain a secret.
func newRequest(method, address, contentType string, body []byte) (*http.Request, error) {
	request, err := http.NewRequest(method, strings.TrimSpace(address), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address is not a valid URL")
	}
	request.Header.Set("Content-Type", contentType)
	return request, nil
}

// newJSONRequest returns a POST request with a JSON body.
func newJSONRequest(address string, body any) (*http.Request, error) {
	return newRequest(http.MethodPost, address, "application/json; charset=utf-8", encodeJSON(body))
}

// encodeJSON encodes a value without HTML escapes, which would count against the size limits of the services.
func encodeJSON(value any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Sprintf("formats: encode a request: %v", err)) // only the formats' own types get here
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
}

// withParameters returns an address with query parameters set, given as names and values in turn.
func withParameters(address string, parameters ...string) (string, error) {
	parsed, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return "", errors.New("the address is not a valid URL")
	}
	query := parsed.Query()
	for i := 0; i+1 < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	parsed.RawQuery = query.Encode()
	return parsed.String(), nil
}
