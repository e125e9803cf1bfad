package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
)

// member runs a command of the program with a partner's token.
func (p *program) member(token string, args ...string) programResult {
	p.t.Helper()
	return runProgram(p.t, []string{"TANDEM_URL=" + p.url, "TANDEM_OPERATOR_TOKEN=", "TANDEM_TOKEN=" + token}, args...)
}

func TestWebhookCommands(t *testing.T) {
	program := start(t, t.TempDir(), "serve")
	program.do(201, operatorSecret, "POST", "/v1/partners", sony)
	token := program.do(201, operatorSecret, "POST", "/v1/partners/sony/tokens", `{"name":"M","role":"manager"}`).field(t, "token")
	viewer := program.do(201, token, "POST", "/v1/partners/sony/tokens", `{"name":"V","role":"viewer"}`).field(t, "token")
	works := func(args ...string) string {
		result := program.member(token, append([]string{"webhooks"}, args...)...)
		require.Zero(t, result.status, result.stderr)
		return regexp.MustCompile(`─+`).ReplaceAllString(result.stdout, "──")
	}
	require.Equal(t, "There are no webhooks.\n", works("list"))
	program.do(201, token, "POST", "/v1/partners/sony/webhooks", `{"id":"room","url":"https://slack-a.invalid/services/T0/B0/s3cr3t","format":"slack","events":["milestone.*","change.*"],"title":"Our room","language":"zh"}`)
	require.Equal(t, `ID    Format  To                         Events                Language  Sent  Behind  State    Title
──
room  slack   https://slack-a.invalid/…  milestone.* change.*  zh           0       0  enabled  Our room
`, works("list"))
	require.Equal(t, "No message has been sent yet.\n", works("log", "room"))
	require.Contains(t, works("test", "room", "--wait", "0"), "\n    tandem webhooks log room\n")
	require.Contains(t, works("replay", "room", "--since", "2017-07-05"), "Requested.")
	preview := works("preview", "room", "--language", "en")
	require.Contains(t, preview, "\nHeadline  Test message from Tandem: messages of “Our room” will look like this\n")
	require.Contains(t, preview, "POST https://slack-a.invalid/services/…\n")
	require.NotContains(t, preview, "s3cr3t")
	require.True(t, strings.HasPrefix(works("list", "--json"), `{"partner":"sony","webhooks":[{`))

	for name, tc := range map[string]struct {
		token, args string
		status      int
		stderr      string
	}{
		"no token":        {"", "list", exitUsage, "set TANDEM_TOKEN"},
		"wrong token":     {"0123456789abcdef", "list", exitError, "does not accept this token"},
		"operator token":  {operatorSecret, "list", exitError, "the token is the operator's"},
		"viewer token":    {viewer, "test room", exitError, "manager_only"},
		"no webhook":      {token, "log", exitUsage, "usage is tandem webhooks log WEBHOOK [MESSAGE]"},
		"other webhook":   {token, "log none", exitError, "has no webhook none that is visible to this token; tandem webhooks list shows all"},
		"other message":   {token, "log room none", exitError, "has no message none of webhook room"},
		"redeliver other": {token, "redeliver room none", exitError, "has no message none"},
		"no start":        {token, "replay room", exitUsage, "--after or --since"},
		"two starts":      {token, "replay room --after x --since 2017-07-05", exitUsage, "either --after or --since"},
		"bad time":        {token, "replay room --since yesterday", exitUsage, `--since "yesterday"`},
		"bad position":    {token, "replay room --after yesterday", exitError, "invalid_position"},
		"bad language":    {token, "preview room --language sv", exitError, "is not one of en, zh, fi"},
	} {
		t.Run(name, func(t *testing.T) {
			result := program.member(tc.token, append([]string{"webhooks"}, strings.Fields(tc.args)...)...)
			require.Equal(t, tc.status, result.status, result.stderr)
			require.Contains(t, result.stderr, tc.stderr)
		})
	}
	program.stop()
}

// TestWebhookMessages sends a test message to a receiver, shows it and sends it again. No output contains the secret.
func TestWebhookMessages(t *testing.T) {
	var received lockedBuffer
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprintf(&received, "%s %s\n", request.Header.Get("Webhook-Id"), body)
		fmt.Fprint(w, "thanks")
	}))
	defer receiver.Close()
	program := start(t, t.TempDir(), "serve", "--allow-private-webhooks", "127.0.0.0/8")
	program.do(201, operatorSecret, "POST", "/v1/partners", sony)
	token := program.do(201, operatorSecret, "POST", "/v1/partners/sony/tokens", `{"name":"M","role":"manager"}`).field(t, "token")
	program.do(201, token, "POST", "/v1/partners/sony/webhooks", fmt.Sprintf(`{"id":"ops","url":"%s/s3cr3t-path","format":"standard","events":["*"]}`, receiver.URL))

	require.Equal(t, programResult{"Sent.\n", "", exitOK}, program.member(token, "webhooks", "test", "ops"))
	list := program.member(token, "webhooks", "log", "ops").stdout
	id := regexp.MustCompile(`UTC  ([0-9a-f]{32})  webhook\.test  delivered         1     200\n`).FindStringSubmatch(list)
	require.NotNil(t, id, list)
	require.Contains(t, received.String(), id[1]+` {"type":"webhook.test"`)
	shown := program.member(token, "webhooks", "log", "ops", id[1]).stdout
	require.Contains(t, shown, "Webhook-Id: "+id[1])
	require.Contains(t, shown, "thanks")
	require.NotContains(t, shown+list, "s3cr3t")
	result := program.member(token, "webhooks", "redeliver", "ops", id[1])
	require.Equal(t, exitError, result.status)
	require.Contains(t, result.stderr, "Request another test.")

	receiver.Close()
	result = program.member(token, "webhooks", "test", "ops")
	require.Equal(t, exitError, result.status)
	require.Contains(t, result.stderr, "tandem: the test message was not sent: ")
	program.stop()
}

func TestPrintMessages(t *testing.T) {
	at := time.Date(2018, 3, 30, 9, 0, 0, 0, time.UTC)
	status, next := 500, at.Add(time.Hour)
	message := api.WebhookDelivery{ID: "0a1b", Type: "milestone.delivered", State: "retrying", Attempts: 2, LastAt: at, NextAt: &next, Status: &status, Reason: "The endpoint answers 500."}
	var out bytes.Buffer
	printMessages(&out, []api.WebhookDelivery{message, {ID: "00aa", Type: "webhook.test", State: "delivered", Attempts: 1, LastAt: at.Add(-time.Hour), Note: "accepted"}})
	require.Equal(t, `Last attempt             ID    Type                 State                             Attempts  Status  Reason
──
2018-03-30 08:00:00 UTC  00aa  webhook.test         delivered                                1          accepted
2018-03-30 09:00:00 UTC  0a1b  milestone.delivered  retry at 2018-03-30 10:00:00 UTC         2     500  The endpoint answers 500.
`, regexp.MustCompile(`─+`).ReplaceAllString(out.String(), "──"))

	out.Reset()
	printAttempt(&out, api.DeliveryAttempt{
		Number: 2, At: at, TookMS: 41, Status: &status, Reason: "The endpoint answers 500.",
		Request:  api.DeliveryRequest{Method: "POST", URL: "https://ops.example/…", Headers: map[string]string{"Webhook-Id": "0a1b", "Content-Type": "application/json"}, Body: `{"type":"x"}`},
		Response: &api.DeliveryResponse{Headers: map[string]string{"Server": "x\x1b[31m"}, Body: "sorry"},
	})
	require.Equal(t, `Attempt 2  2018-03-30 09:00:00 UTC, 41 ms, failed, status 500
Reason     The endpoint answers 500.
Sent       POST https://ops.example/…
           Content-Type: application/json
           Webhook-Id: 0a1b

           {"type":"x"}
Answer     Server: x·[31m

           sorry
`, out.String())
}

// The command returns after the first attempt of its test message, whatever the result.
func TestWebhookTestWaitsForItsAttempt(t *testing.T) {
	var asked atomic.Int32
	var outcome atomic.Value
	outcome.Store(`"state":"delivered","note":"accepted"`)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		old := `{"id":"old","type":"webhook.test","state":"failed"}`
		switch {
		case request.URL.Path == "/v1/me":
			fmt.Fprint(w, `{"partner":"sony","role":"manager"}`)
		case request.Method == http.MethodPost:
			asked.Add(1)
			fmt.Fprint(w, `{}`)
		case asked.Load() > 0:
			fmt.Fprintf(w, `{"deliveries":[{"id":"new","type":"webhook.test",%s},%s]}`, outcome.Load(), old)
		default:
			fmt.Fprintf(w, `{"deliveries":[%s]}`, old)
		}
	}))
	defer server.Close()
	env := []string{"TANDEM_URL=" + server.URL, "TANDEM_TOKEN=0123456789abcdef"}
	require.Equal(t, programResult{"Sent: accepted.\n", "", exitOK}, runProgram(t, env, "webhooks", "test", "room"))
	asked.Store(0)
	outcome.Store(`"state":"retrying","reason":"Nothing answers."`)
	require.Equal(t, programResult{"", "tandem: the test message was not sent: Nothing answers.\n", exitError}, runProgram(t, env, "webhooks", "test", "room"))
}

// The list shows which webhooks fail, and since when.
func TestStateOfWebhook(t *testing.T) {
	at, next, gone := time.Date(2018, 3, 30, 9, 0, 0, 0, time.UTC), time.Date(2018, 3, 30, 9, 5, 0, 0, time.UTC), "It is gone."
	well := api.Webhook{State: "enabled"}
	require.Equal(t, "enabled", webhookState(well, api.DeliveryStanding{NextAttemptAt: &next}))
	require.Equal(t, "fails since 2018-03-30 09:00:00 UTC", webhookState(well, api.DeliveryStanding{FailingSince: &at}))
	require.Equal(t, "fails since 2018-03-30 09:00:00 UTC, next attempt at 2018-03-30 09:05:00 UTC",
		webhookState(well, api.DeliveryStanding{FailingSince: &at, NextAttemptAt: &next}))
	require.Equal(t, "disabled: It is gone.", webhookState(api.Webhook{State: "disabled", DisabledReason: &gone}, api.DeliveryStanding{FailingSince: &at}))
}
