package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/eventlogtest"
)

const killWriters = 12

var kills = eventlogtest.Rounds(5, 32)

// TestKill repeatedly kills the real program with SIGKILL while writers send commands. At the end every
// acknowledged command is in the history exactly once, every unanswered one at most once, and a repeated key
// gets the first answer.
func TestKill(t *testing.T) {
	data := t.TempDir()
	program := start(t, data, "serve")
	world := arrange(program)
	load := &killLoad{world: world, sent: make(map[string]int), version: make(map[string]uint64)}
	for range kills {
		load.run(program, 20+rand.IntN(300))
		program = start(t, data, "serve")
	}
	load.settle(t, program)
	lost, doubled := load.check(t, program)
	t.Logf("%d kills, %d commands acknowledged before a kill, %d open ones settled by repeating: %d lost, %d doubled",
		kills, load.acknowledged, load.open, lost, doubled)
	require.Zero(t, lost)
	require.Zero(t, doubled)
	program.stop()
}

// world is the arrangement of a test: two partners, and agreements with one milestone each.
type world struct {
	nokia, xiaomi string // tokens of managers
	agreements    []string
}

func (w world) milestone(agreement string) string {
	return "/v1/agreements/" + agreement + "/projects/p/milestones/m"
}

// arrange creates a world of four agreements.
func arrange(program *program) world {
	program.t.Helper()
	return arrangeAgreements(program, 4)
}

// signer creates a member of a partner that may sign, and returns its token.
func (p *program) signer(partner string) (token string) {
	p.t.Helper()
	directory := "/v1/partners/" + partner
	first := p.do(201, operatorSecret, "POST", directory+"/tokens", `{"id":"first","name":"first","role":"manager"}`).field(p.t, "token")
	p.do(200, first, "POST", directory+"/tokens/first/confirm", ``)
	member := p.do(201, first, "POST", directory+"/members", `{"name":"Office","email":"office@`+partner+`.example","role":"manager","may_sign":true}`).field(p.t, "id")
	return p.do(201, first, "POST", directory+"/tokens", fmt.Sprintf(`{"name":"tests","role":"manager","member":%q}`, member)).field(p.t, "token")
}

func arrangeAgreements(program *program, agreements int) world {
	program.t.Helper()
	var world world
	for id, zone := range map[string]string{"nokia": "Europe/Helsinki", "xiaomi": "Asia/Shanghai"} {
		country := map[string]string{"nokia": "FI", "xiaomi": "CN"}[id]
		program.do(201, operatorSecret, "POST", "/v1/partners", fmt.Sprintf(`{"id":%q,"name":%q,"country":%q,"time_zone":%q}`, id, id, country, zone))
	}
	world.nokia, world.xiaomi = program.signer("nokia"), program.signer("xiaomi")
	for i := range agreements {
		agreement := fmt.Sprintf("agreement-%d", i)
		world.agreements = append(world.agreements, agreement)
		program.do(201, operatorSecret, "POST", "/v1/agreements", fmt.Sprintf(`{"id":%q,"title":"T","parties":["nokia","xiaomi"],"effective_on":"2017-07-05","acceptance_days":10,"deemed_acceptance":false,"forecast_tolerance_days":7}`, agreement))
		program.do(200, world.nokia, "POST", "/v1/agreements/"+agreement+"/sign", `{}`)
		program.do(200, world.xiaomi, "POST", "/v1/agreements/"+agreement+"/sign", `{}`)
		program.do(201, world.nokia, "POST", "/v1/agreements/"+agreement+"/projects", `{"id":"p","title":"P","stage":"committed","lead":"nokia","participants":["nokia","xiaomi"]}`)
		program.do(200, world.xiaomi, "POST", "/v1/agreements/"+agreement+"/projects/p/commit", `{}`)
		program.do(201, world.nokia, "POST", "/v1/agreements/"+agreement+"/projects/p/milestones", `{"id":"m","title":"M","owner":"nokia","due_on":"2030-01-31"}`)
		program.do(200, world.nokia, "POST", world.milestone(agreement)+"/start", `{}`)
	}
	return world
}

// killLoad records the commands that were sent and their answers.
type killLoad struct {
	world        world
	mu           sync.Mutex
	next         int
	sent         map[string]int    // status by key; 0: no answer
	version      map[string]uint64 // version in the answer, by key
	acknowledged int
	open         int
}

// run sends commands until enough are acknowledged, then kills the program under load.
func (l *killLoad) run(program *program, enough int) {
	program.t.Helper()
	var acknowledged atomic.Int64
	reached := make(chan struct{})
	var writers sync.WaitGroup
	for range killWriters {
		writers.Go(func() {
			for {
				key := l.begin()
				answer, err := l.send(program, key)
				if err != nil {
					return
				}
				l.end(key, answer)
				if acknowledged.Add(1) == int64(enough) {
					close(reached)
				}
			}
		})
	}
	<-reached
	program.kill()
	writers.Wait()
	l.acknowledged += int(acknowledged.Load())
}

func (l *killLoad) begin() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	key := fmt.Sprintf("command-%d", l.next)
	l.sent[key] = 0
	return key
}

func (l *killLoad) end(key string, answer answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var milestone struct{ Version uint64 }
	if err := json.Unmarshal(answer.body, &milestone); err == nil {
		l.version[key] = milestone.Version
	}
	l.sent[key] = answer.status
}

// send comments on a milestone. The text is the key, which identifies the command in the history.
func (l *killLoad) send(program *program, key string) (answer, error) {
	var n int
	if _, err := fmt.Sscanf(key, "command-%d", &n); err != nil {
		return answer{}, err
	}
	agreement := l.world.agreements[n%len(l.world.agreements)]
	return program.try(context.Background(), l.world.nokia, "POST", l.world.milestone(agreement)+"/comment",
		fmt.Sprintf(`{"text":%q,"audience":"shared"}`, key), "Idempotency-Key", key)
}

// settle repeats all unanswered commands and some of the others, which must get the first answer.
func (l *killLoad) settle(t *testing.T, program *program) {
	t.Helper()
	for key, status := range l.sent {
		if status == 0 {
			l.open++
		} else if rand.IntN(10) > 0 {
			continue
		}
		answer, err := l.send(program, key)
		require.NoError(t, err)
		require.Equalf(t, 200, answer.status, "%s", answer.body)
		if status != 0 {
			var milestone struct{ Version uint64 }
			answer.decode(t, &milestone)
			require.NotZero(t, milestone.Version)
			require.LessOrEqual(t, milestone.Version, l.version[key], "a repeat has the state right after the command; the first answer may include later commands")
			require.Equal(t, "true", answer.header.Get("Idempotency-Replayed"))
		}
	}
}

// check reads the whole history and returns how many acknowledged commands are missing and how many are
// duplicated.
func (l *killLoad) check(t *testing.T, program *program) (lost, doubled int) {
	t.Helper()
	found := make(map[string]int)
	for _, agreement := range l.world.agreements {
		for after := ""; ; {
			var page struct {
				Events []struct {
					Type string
					Data struct{ Text string }
				}
				Next string `json:"next_cursor"`
			}
			program.do(200, l.world.xiaomi, "GET", "/v1/agreements/"+agreement+"/events?limit=200&after="+url.QueryEscape(after), "").decode(t, &page)
			if len(page.Events) == 0 {
				break
			}
			for _, event := range page.Events {
				if event.Type == "milestone.commented" {
					found[event.Data.Text]++
				}
			}
			after = page.Next
		}
	}
	for key := range l.sent {
		switch found[key] {
		case 0:
			lost++
		case 1:
		default:
			doubled++
		}
	}
	require.Len(t, found, len(l.sent), "the history contains only comments that were sent")
	return lost, doubled
}
