package bus_test

import (
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tandem/bus"
	"tandem/eventlog"
)

const sentAt = `"requested_at":"2018-03-30T07:00:00Z"`

func TestSummaryContainsNoValues(t *testing.T) {
	at := time.Date(2018, 3, 30, 7, 0, 0, 0, time.UTC)
	const actor = `"actor":{"partner":"nokia","member":"nokia-manager","role":"manager"}`
	full := bus.DeadLetterSummary{
		Envelope: true, Name: "milestone.comment", Partner: "nokia", Member: "nokia-manager", Role: "manager",
		RequestedAt: at, CommandSize: len(`{"text":"secret","percent":40}`),
	}
	renamed, bare := full, bus.DeadLetterSummary{Envelope: true, RequestedAt: at, CommandSize: len(`"secret"`)}
	renamed.Name = ""
	for name, tc := range map[string]struct {
		payload, reason string
		want            bus.DeadLetterSummary
		wantReason      string
	}{
		"unknown command": {
			`{"name":"milestone.comment","command":{"text":"secret","percent":40},` + actor + `,` + sentAt + `}`,
			`command "milestone.comment" is not known`, full, `command "milestone.comment" is not known`,
		},
		"values in the reason": {
			`{"name":"milestone.comment","command":{"text":"secret","percent":40},` + actor + `,` + sentAt + `}`,
			`command milestone.comment: cannot read "secret" or "sec\"ret" or 40 as "int" within "/command/text" after offset 7, nor "/secret", unknown field "percent"`,
			full,
			`command milestone.comment: cannot read "…" or "…" or … as "…" within "/command/text" after offset 7, nor "…", unknown field "percent"`,
		},
		"text in place of the name": {
			`{"name":"our secret","command":{"text":"secret","percent":40},` + actor + `,` + sentAt + `}`,
			`command "our secret" is not known`, renamed, `command "…" is not known`,
		},
		"every member malformed": {
			`{"name":7,"command":"secret","actor":{"partner":"Our Secret","member":"","role":"king"},` + sentAt + `}`,
			`envelope: 7`, bare, `envelope: …`,
		},
		"no actor": {
			`{"name":[],"command":"secret","actor":"secret",` + sentAt + `}`, "", bare, "",
		},
		"a list":          {`["secret"]`, `cannot read "secret"`, bus.DeadLetterSummary{}, `cannot read "…"`},
		"no JSON":         {`secret "secret`, `invalid character "s", then "secret`, bus.DeadLetterSummary{}, `invalid character "…", then "…"`},
		"empty":           {``, `the id "odd/id", and "other"`, bus.DeadLetterSummary{}, `the id "odd/id", and "…"`},
		"invalid UTF-8":   {"\xff", "reason \xff", bus.DeadLetterSummary{}, "reason �"},
		"values as names": {`{"our secret":1}`, `unknown "our secret" in "/our secret"`, bus.DeadLetterSummary{Envelope: true}, `unknown "…" in "…"`},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.Reason = tc.wantReason
			require.Equal(t, tc.want, bus.SummarizeDeadLetter(eventlog.DeadLetter{ID: "odd/id", Payload: []byte(tc.payload), Reason: tc.reason}))
		})
	}
}

// FuzzSummary quotes a text in the reason, as decoding errors do.
func FuzzSummary(f *testing.F) {
	f.Add("secret", `{"name":"milestone.comment","actor":{},"command":{"text":"secret"}}`)
	f.Add("/a/0", `{"a":["/a/0"]}`)
	f.Add("\"", "{")
	f.Fuzz(func(t *testing.T, text, payload string) {
		summary := bus.SummarizeDeadLetter(eventlog.DeadLetter{Payload: []byte(payload), Reason: "before " + strconv.Quote(text) + " after"})
		require.True(t, utf8.ValidString(summary.Reason))
		require.Regexp(t, `^before ".*" after$`, summary.Reason)
		if !strings.Contains(payload, text) && !strings.HasPrefix(text, "/") {
			require.Equal(t, `before "…" after`, summary.Reason, "the text is neither a field name nor a pointer")
		}
	})
}
