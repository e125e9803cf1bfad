package webhooktest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/webhooks/webhooktest"
)

const markdown = `{"msgtype":"markdown","markdown":{"title":"x","text":"x"},"at":{"isAtAll":false}}`

func post(t *testing.T, url, body string) string {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	reply, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return fmt.Sprint(response.StatusCode, " ", string(reply))
}

// DingTalk accepts twenty messages a minute. One more message locks the robot out for ten minutes.
func TestDingTalkLockout(t *testing.T) {
	now := time.Date(2018, 3, 22, 9, 30, 0, 0, time.UTC)
	fake := webhooktest.NewFake("dingtalk", webhooktest.Clock(func() time.Time { return now }))
	server := httptest.NewServer(fake)
	defer server.Close()
	for range 20 {
		require.Contains(t, post(t, server.URL, markdown), `"errcode":0`)
	}
	for range 10 {
		require.Contains(t, post(t, server.URL, markdown), `"errcode":130101`)
		now = now.Add(time.Minute)
	}
	require.Contains(t, post(t, server.URL, markdown), `"errcode":0`)
	require.Len(t, fake.Messages(), 21)
}

// Concurrent requests are safe, and Received returns each message once.
func TestConcurrent(t *testing.T) {
	fake := webhooktest.NewFake("dingtalk", webhooktest.Rate(0, 0))
	server := httptest.NewServer(fake)
	defer server.Close()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				post(t, server.URL, markdown)
			}
		})
	}
	for range 200 {
		message := <-fake.Received()
		require.Equal(t, []string{"x"}, message.Lines)
	}
	all.Wait()
	require.Len(t, fake.Messages(), 200)
	require.Empty(t, fake.Received())
}

// Fakes find mentions and markup.
func TestFakesReportMarkupAndMentions(t *testing.T) {
	for _, test := range []struct{ tool, text, call, mark string }{
		{"dingtalk", `hello @all`, "@all", ""},
		{"dingtalk", `hello **all**`, "", "*"},
		{"wecom", `hello <@all>`, "@all", "<"},
		{"wecom", "`code`", "", "`"},
	} {
		body := fmt.Sprintf(`{"msgtype":"markdown","markdown":{"title":"x","text":%q},"at":{"isAtAll":false}}`, test.text)
		if test.tool == "wecom" {
			body = fmt.Sprintf(`{"msgtype":"markdown","markdown":{"content":%q}}`, test.text)
		}
		fake := webhooktest.NewFake(test.tool)
		server := httptest.NewServer(fake)
		require.Contains(t, post(t, server.URL, body), `"errcode":0`)
		server.Close()
		message := fake.Messages()[0]
		if test.call != "" {
			require.Contains(t, message.Mentions, test.call)
		}
		if test.mark != "" {
			require.Contains(t, message.Markup, test.mark)
		}
	}
}

// Every fake rejects requests that are not messages of its service, without a panic.
func TestFakesRefuseInvalidMessages(t *testing.T) {
	for _, name := range webhooktest.Names() {
		fake := webhooktest.NewFake(name)
		server := httptest.NewServer(fake)
		for _, body := range []string{"", "{}", "null", "[]", "{", `{"text":""}`, `{"unknown":1}`, markdown + "x", "\xff"} {
			post(t, server.URL, body)
		}
		server.Close()
		require.Empty(t, fake.Messages(), name)
	}
	require.Panics(t, func() { webhooktest.NewFake("fax") })
}
