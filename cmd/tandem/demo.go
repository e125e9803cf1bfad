package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/schollz/progressbar/v3"

	httpapi "tandem/http"
)

// demoInfo is the state of the example. It is stored in the data directory, because the log does not
// contain tokens.
type demoInfo struct {
	Begun    time.Time         `json:"begun"` // the base of its relative dates, also when loading is resumed
	Complete bool              `json:"complete"`
	Tokens   map[string]string `json:"tokens"` // by name: nokia-manager, xiaomi-viewer, …
}

const demoFile = "demo.json"

// readDemoInfo reads the state of the example and reports whether to load it: if the log is empty, or an
// earlier load was interrupted.
func readDemoInfo(data string, empty bool) (info demoInfo, load bool, err error) {
	text, err := os.ReadFile(filepath.Join(data, demoFile))
	if errors.Is(err, fs.ErrNotExist) {
		return demoInfo{}, empty, nil
	}
	if err != nil {
		return demoInfo{}, false, err
	}
	if err := json.Unmarshal(text, &info); err != nil {
		return demoInfo{}, false, fmt.Errorf("%s is damaged: %w", demoFile, err)
	}
	return info, !info.Complete, nil
}

func (d demoInfo) write(data string) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return writeSecret(filepath.Join(data, demoFile), string(text)+"\n")
}

// loader sends a scenario as HTTP requests to a handler, on the path of all requests: authentication,
// decoding, the bus, the log. Only a loader can set the time of its requests. Every request has an
// idempotency key, so an interrupted load can be repeated.
type loader struct {
	handler  http.Handler
	operator string // the temporary operator's token
	today    time.Time
	saved    map[string]string
}

func (l *loader) load(ctx context.Context, steps []scenarioStep, progress io.Writer) error {
	bar := progressbar.NewOptions(len(steps),
		progressbar.OptionSetWriter(progress), progressbar.OptionSetDescription("Loading the example"),
		progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
	order, err := chronologicalOrder(steps, l.today)
	if err != nil {
		return err
	}
	for _, i := range order {
		if err := l.send(ctx, fmt.Sprintf("example-%d", i+1), steps[i]); err != nil {
			return fmt.Errorf("example, step %d (%s): %w", i+1, steps[i].Do, err)
		}
		_ = bar.Add(1) // a failure to draw the progress bar is harmless
	}
	return nil
}

func (l *loader) send(ctx context.Context, key string, step scenarioStep) error {
	resolved, err := step.resolve(l.today, l.saved)
	if err != nil {
		return err
	}
	token := l.saved[step.As]
	if step.As == "operator" {
		token = l.operator
	}
	request, err := http.NewRequestWithContext(httpapi.WithRecordedAt(ctx, resolved.at), resolved.method, resolved.path, bytes.NewReader(resolved.body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Idempotency-Key", key)
	if resolved.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer := httptest.NewRecorder()
	l.handler.ServeHTTP(answer, request)
	if answer.Code/100 != 2 && answer.Code != step.Refused {
		return fmt.Errorf("status %d: %s", answer.Code, answer.Body)
	}
	return l.saveFields(step, answer.Body.Bytes())
}

func (l *loader) saveFields(step scenarioStep, body []byte) error {
	if len(step.Save) == 0 {
		return nil
	}
	var fields map[string]any
	if err := json.Unmarshal(body, &fields); err != nil {
		return err
	}
	for name, field := range step.Save {
		value, ok := fields[field].(string)
		if !ok {
			return fmt.Errorf("the answer has no %s", field)
		}
		l.saved[name] = value
	}
	return nil
}

// guide prints the first steps with the example. The first command shows a table; every line after "Try" works when
// pasted.
func (d demoInfo) guide(out io.Writer, url string) {
	fmt.Fprintf(out, `
Tandem is listening on %[1]s with the Nokia–Xiaomi example.
The announcement of July 2017 is fact; milestones and their dates are examples.

  API description    %[1]s/docs
  Public page        %[1]s/public/nokia-xiaomi-2017
  Webhook messages   %[1]s%[2]s
  Stop               Ctrl-C

`, url, demoMessagesPath)
	d.printTokens(out)
	fmt.Fprintf(out, `
Try
  NOKIA=%[2]s
  XIAOMI=%[3]s
  TRIAL=%[1]s/v1/agreements/nokia-xiaomi-2017/projects/ip-routing-fp4/milestones/fp4-field-trial

  # The milestones that are open, as Xiaomi sees them
  TANDEM_TOKEN=$XIAOMI %[5]s milestones --open --url %[1]s

  # Nokia moves its forecast of the field trial
  curl -s -H "Authorization: Bearer $NOKIA" -H "Content-Type: application/json" -d '{"on":"%[4]s","reason":"The optics have arrived"}' $TRIAL/forecast

  # Nokia delivers; it cannot accept its own delivery (403), Xiaomi can
  curl -s -H "Authorization: Bearer $NOKIA" -H "Content-Type: application/json" -d '{"evidence":[{"title":"Trial report","url":"https://reports.example/fp4-field-trial"}]}' $TRIAL/deliver
  curl -s -H "Authorization: Bearer $NOKIA" -H "Content-Type: application/json" -d '{}' $TRIAL/accept
  curl -s -H "Authorization: Bearer $XIAOMI" -H "Content-Type: application/json" -d '{"note":"Well done"}' $TRIAL/accept

  # The history of the field trial, as Xiaomi may see it
  curl -s -H "Authorization: Bearer $XIAOMI" $TRIAL/history

`, url, d.Tokens["nokia-manager"], d.Tokens["xiaomi-manager"], addWorkdays(time.Now(), 15).Format(time.DateOnly), programName())
}

// printTokens prints the example's tokens and their purpose.
func (d demoInfo) printTokens(out io.Writer) {
	fmt.Fprintln(out, "Tokens")
	tbl := newTable(out)
	for _, partner := range []struct{ id, name string }{{"nokia", "Nokia"}, {"xiaomi", "Xiaomi"}} {
		for _, use := range []struct{ token, member, purpose string }{
			{"manager", "project office", "plans, reports, delivers, accepts"},
			{"legal", "legal department", "also signs agreements and amendments"},
			{"viewer", "management reporting", "only reads"},
		} {
			tbl.AppendRow(table.Row{"  " + partner.name, use.member, use.purpose, d.Tokens[partner.id+"-"+use.token]})
		}
	}
	tbl.AppendRow(table.Row{"  Invitation", "of Nokia", "a third partner redeems it once", d.Tokens["invitation-code"]})
	tbl.Render()
}

// programName returns the command that runs this program in a shell.
func programName() string {
	if strings.Contains(os.Args[0], "go-build") { // started by go run
		return "go run ./cmd/tandem"
	}
	return shellQuoted(os.Args[0])
}
