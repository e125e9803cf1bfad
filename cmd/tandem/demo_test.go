package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDemo does what a newcomer does: starts the demo, pastes the lines it prints, and looks.
func TestDemo(t *testing.T) {
	data := t.TempDir()
	p := start(t, data, "demo")
	p.stop() // the guide is complete and can be read
	lines := pasteable(p.stdout.String())
	require.Len(t, lines, 6)

	again := start(t, data, "demo")
	var statuses []int
	var bodies []string
	for _, l := range lines {
		a := again.paste(l, p.url)
		statuses, bodies = append(statuses, a.status), append(bodies, string(a.body))
	}
	require.Equal(t, []int{200, 200, 200, 403, 200, 200}, statuses, "list, move, deliver, Nokia's accept, Xiaomi's accept, history")
	require.Contains(t, bodies[0], `"fp4-field-trial"`)
	require.Contains(t, bodies[2], `"state":"delivered"`)
	require.Contains(t, bodies[3], `"code":"not_acceptor"`)
	require.Contains(t, bodies[4], `"state":"accepted"`)
	require.Contains(t, bodies[5], "Xiaomi accepted")
	again.stop()
	require.Equal(t, p.stdout.String(), strings.ReplaceAll(again.stdout.String(), again.url, p.url), "loaded once, and the tokens are shown again")
}

// TestDemoHidesPrivateMilestones: Xiaomi learns nothing of Nokia's private milestone.
func TestDemoHidesPrivateMilestones(t *testing.T) {
	p := start(t, t.TempDir(), "demo")
	token := func(name string) string {
		text, err := os.ReadFile(filepath.Join(p.dir, demoFile))
		require.NoError(t, err)
		found := regexp.MustCompile(`"` + name + `": "([^"]+)"`).FindSubmatch(text)
		require.NotNil(t, found)
		return string(found[1])
	}
	nokia, xiaomi := token("nokia-manager"), token("xiaomi-manager")
	private := token("nokia-private")
	path := "/v1/agreements/nokia-xiaomi-2017/projects/ip-routing-fp4/milestones"
	require.Contains(t, string(p.do(200, nokia, "GET", path, "").body), private)
	before := p.do(200, xiaomi, "GET", path, "")
	require.NotContains(t, string(before.body), private)
	hidden := p.do(404, xiaomi, "GET", path+"/"+private, "")
	missing := p.do(404, xiaomi, "GET", path+"/spare-optics-for-the-field-trial-aaaaaaaa", "")
	id := regexp.MustCompile(`"request_id":"[^"]+"`)
	require.Equal(t, id.ReplaceAllString(string(hidden.body), ""), id.ReplaceAllString(string(missing.body), ""))

	p.do(200, nokia, "POST", path+"/"+private+"/progress", `{"percent":10}`)
	after := p.do(200, xiaomi, "GET", path, "")
	for _, h := range []string{"Etag", "Tandem-Position"} {
		require.Equal(t, before.header.Get(h), after.header.Get(h), "%s tells of Nokia's private work", h)
	}
	require.Equal(t, http.StatusNotModified, p.do(304, xiaomi, "GET", path, "", "If-None-Match", before.header.Get("Etag")).status)
	p.stop()
}

// TestDemoLeavesOtherHistoriesAlone: the example goes into an empty log only.
func TestDemoLeavesOtherHistoriesAlone(t *testing.T) {
	data := t.TempDir()
	p := start(t, data, "serve")
	p.do(201, operatorSecret, "POST", "/v1/partners", `{"id":"acme","name":"Acme","country":"DE","time_zone":"Europe/Berlin"}`)
	p.stop()
	p = start(t, data, "demo")
	require.NotContains(t, string(p.do(200, operatorSecret, "GET", "/v1/partners", "").body), "nokia")
	p.stop()
	require.Contains(t, p.stdout.String(), "the example is not loaded")
}

// pasteable returns the curl lines of the guide, with its variables filled in.
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

// paste does what curl would with the line.
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
	a, err := p.try(p.t.Context(), token, method, path, body)
	require.NoError(p.t, err)
	return a
}
