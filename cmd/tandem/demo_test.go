package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDemo starts the demo, pastes the lines that it prints, and compares the results.
func TestDemo(t *testing.T) {
	data := t.TempDir()
	program := start(t, data, "demo")
	program.stop() // stdout can be read after the end
	lines := pasteable(program.stdout.String())
	require.Len(t, lines, 5)
	require.Regexp(t, `(?m)^  TANDEM_TOKEN=\$XIAOMI .* milestones --open --url http://`, program.stdout.String(), "the first command shows a table")

	again := start(t, data, "demo")
	var statuses []int
	var bodies []string
	for _, line := range lines {
		answer := again.paste(line, program.url)
		statuses, bodies = append(statuses, answer.status), append(bodies, string(answer.body))
	}
	require.Equal(t, []int{200, 200, 403, 200, 200}, statuses, "move, deliver, Nokia's accept, Xiaomi's accept, history")
	require.Contains(t, bodies[1], `"state":"delivered"`)
	require.Contains(t, bodies[2], `"code":"not_acceptor"`)
	require.Contains(t, bodies[3], `"state":"accepted"`)
	require.Contains(t, bodies[4], "(Xiaomi) accepted")
	again.stop()
	require.Equal(t, program.stdout.String(), strings.ReplaceAll(again.stdout.String(), again.url, program.url), "the example is loaded once; every start prints the tokens")
}

// TestDemoTableAndWebhook: the first printed command shows a table, and the example's webhook sends to the demo's page,
// which refuses a message with a wrong signature.
func TestDemoTableAndWebhook(t *testing.T) {
	program := start(t, t.TempDir(), "demo")
	nokia, xiaomi := program.demoToken("nokia-manager"), program.demoToken("xiaomi-manager")
	table := program.member(xiaomi, "milestones", "--open")
	require.Zero(t, table.status, table.stderr)
	require.Regexp(t, `(?m)^Due +Milestone +Project +Owner +State +Forecast +Health$`, table.stdout)
	require.Regexp(t, `(?m)^\d{4}-\d{2}-\d{2} +FP4 field trial +ip-routing-fp4 +nokia +in progress +\d{4}-\d{2}-\d{2} +at risk$`, table.stdout)
	require.NotContains(t, table.stdout, "Spare optics", "a private milestone of Nokia")

	program.do(200, nokia, "POST", "/v1/agreements/nokia-xiaomi-2017/projects/ip-routing-fp4/milestones/fp4-field-trial/comment", `{"text":"For the page"}`)
	require.Eventually(t, func() bool {
		return strings.Contains(string(program.do(200, "", "GET", demoMessagesPath, "").body), "For the page")
	}, 20*time.Second, 20*time.Millisecond)
	program.do(401, "", "POST", demoWebhookPath, `{"type":"forged"}`)
	require.NotContains(t, string(program.do(200, "", "GET", demoMessagesPath, "").body), "forged")
	require.Contains(t, string(program.do(200, "", "GET", "/", "").body), "Tandem API")
	program.stop()
}

// demoToken returns a token that the example has saved.
func (p *program) demoToken(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, demoFile))
	require.NoError(p.t, err)
	found := regexp.MustCompile(`"` + name + `": "([^"]+)"`).FindSubmatch(text)
	require.NotNil(p.t, found)
	return string(found[1])
}

// TestDemoHidesPrivateMilestones: Nokia's private milestone is invisible to Xiaomi.
func TestDemoHidesPrivateMilestones(t *testing.T) {
	program := start(t, t.TempDir(), "demo")
	nokia, xiaomi := program.demoToken("nokia-manager"), program.demoToken("xiaomi-manager")
	private := program.demoToken("nokia-private")
	path := "/v1/agreements/nokia-xiaomi-2017/projects/ip-routing-fp4/milestones"
	require.Contains(t, string(program.do(200, nokia, "GET", path, "").body), private)
	before := program.do(200, xiaomi, "GET", path, "")
	require.NotContains(t, string(before.body), private)
	hidden := program.do(404, xiaomi, "GET", path+"/"+private, "")
	missing := program.do(404, xiaomi, "GET", path+"/spare-optics-for-the-field-trial-aaaaaaaa", "")
	id := regexp.MustCompile(`"request_id":"[^"]+"`)
	require.Equal(t, id.ReplaceAllString(string(hidden.body), ""), id.ReplaceAllString(string(missing.body), ""))

	program.do(200, nokia, "POST", path+"/"+private+"/progress", `{"percent":10}`)
	after := program.do(200, xiaomi, "GET", path, "")
	for _, history := range []string{"Etag", "Tandem-Position"} {
		require.Equal(t, before.header.Get(history), after.header.Get(history), "%s tells of Nokia's private work", history)
	}
	require.Equal(t, http.StatusNotModified, program.do(304, xiaomi, "GET", path, "", "If-None-Match", before.header.Get("Etag")).status)
	program.stop()
}

// TestDemoLeavesOtherHistoriesAlone: the example is loaded into an empty log only.
func TestDemoLeavesOtherHistoriesAlone(t *testing.T) {
	data := t.TempDir()
	program := start(t, data, "serve")
	program.do(201, operatorSecret, "POST", "/v1/partners", `{"id":"acme","name":"Acme","country":"DE","time_zone":"Europe/Berlin"}`)
	program.stop()
	program = start(t, data, "demo")
	require.NotContains(t, string(program.do(200, operatorSecret, "GET", "/v1/partners", "").body), "nokia")
	program.stop()
	require.Contains(t, program.stdout.String(), "the example is not loaded")
}

// pasteable returns the curl lines of the guide, with their variables expanded.
func pasteable(guide string) []string {
	values := map[string]string{}
	var lines []string
	for line := range strings.Lines(guide) {
		line = strings.TrimSpace(line)
		if name, value, ok := strings.Cut(line, "="); ok && regexp.MustCompile(`^[A-Z]+$`).MatchString(name) {
			values[name] = value
		}
		if strings.HasPrefix(line, "curl ") {
			lines = append(lines, os.Expand(line, func(name string) string { return values[name] }))
		}
	}
	return lines
}

var curlPart = regexp.MustCompile(`-H "([^"]*)"|-d '([^']*)'|(http://\S+)`)

// paste sends the request of a curl line.
func (p *program) paste(line, printed string) answer {
	p.t.Helper()
	var token, body, path string
	for _, part := range curlPart.FindAllStringSubmatch(line, -1) {
		switch {
		case strings.HasPrefix(part[1], "Authorization: Bearer "):
			token = strings.TrimPrefix(part[1], "Authorization: Bearer ")
		case part[2] != "":
			body = part[2]
		case part[3] != "":
			path = strings.TrimPrefix(part[3], printed)
		}
	}
	method := "GET"
	if body != "" {
		method = "POST"
	}
	answer, err := p.try(p.t.Context(), token, method, path, body)
	require.NoError(p.t, err)
	return answer
}
