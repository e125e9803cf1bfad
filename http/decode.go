package http

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"

	"tandem/domain"
	"tandem/http/strictjson"
)

const (
	maxBody     = 1 << 20 // bytes
	bodyTimeout = 30 * time.Second
)

// readBody returns the whole request body.
func (c *call) readBody() ([]byte, error) {
	tooLarge := refuse(http.StatusRequestEntityTooLarge, "body_too_large", "The request body exceeds 1 MiB.")
	if c.request.ContentLength > maxBody {
		return nil, tooLarge
	}
	// A request made in this process has neither deadlines nor a partial body.
	control := http.NewResponseController(c.echoCtx.Response())
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	body, err := io.ReadAll(io.LimitReader(c.request.Body, maxBody+1))
	if err != nil {
		return nil, &refusal{status: http.StatusBadRequest, code: "body_unreadable", detail: "The request body ended early.", cause: err}
	}
	if len(body) > maxBody {
		return nil, tooLarge
	}
	return body, nil
}

// mediaType refuses bodies that are not declared as JSON in UTF-8.
func (c *call) mediaType() error {
	wrong := refuse(http.StatusUnsupportedMediaType, "unsupported_media_type", "Send the body as application/json.")
	if c.header("Content-Encoding") != "" {
		return refuse(http.StatusUnsupportedMediaType, "unsupported_encoding", "Send the body without a content encoding.")
	}
	kind, params, err := mime.ParseMediaType(c.header("Content-Type"))
	if err != nil {
		return wrong
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return wrong
	}
	if kind == "application/json" || (c.request.Method == http.MethodPatch && kind == "application/merge-patch+json") {
		return nil
	}
	return wrong
}

// bodyDecoder returns the strict decoder of a request body type.
func bodyDecoder(typ reflect.Type) *strictjson.Decoder {
	return strictjson.New(typ, map[reflect.Type]string{reflect.TypeFor[domain.Date](): "must be a date such as 2018-03-30"})
}

// decodeBody decodes body strictly and returns a pointer to a new value of the decoder's type.
func decodeBody(decoder *strictjson.Decoder, body []byte) (any, error) {
	value, err := decoder.Decode(body)
	if err == nil {
		return value, nil
	}
	if format, ok := errors.AsType[*strictjson.FormatError](err); ok {
		refusal := refuse(http.StatusBadRequest, format.Code, "%s", format.Detail)
		if format.Field != "" {
			refusal.fields = []domain.FieldError{{Field: format.Field, Message: "is unknown"}}
		}
		return nil, refusal
	}
	if wrong, ok := errors.AsType[strictjson.FieldErrors](err); ok {
		fields := make([]domain.FieldError, len(wrong))
		for i, field := range wrong {
			fields[i] = domain.FieldError{Field: field.Field, Message: field.Message}
		}
		return nil, invalid(fields...)
	}
	return nil, err
}
