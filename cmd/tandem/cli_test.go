package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/api"
	"tandem/domain"
	"tandem/eventlog"
	"tandem/eventlog/sqlite"
)

// programResult is the output and the exit status of a run of the program.
type programResult struct {
	stdout, stderr string
	status         int
}

// runProgram runs the program to its end, with additional environment variables.
func runProgram(t testing.TB, env []string, args ...string) programResult {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(append(os.Environ(), asProgram+"=1", "TANDEM_OPERATOR_TOKEN="+operatorSecret), env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return programResult{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// cli runs a client command of the program on this server.
func (p *program) cli(args ...string) programResult {
	p.t.Helper()
	return runProgram(p.t, []string{"TANDEM_URL=" + p.url}, args...)
}

// text returns the output of a successful command, with placeholders for the parts that differ between runs.
func (p *program) text(args ...string) string {
	p.t.Helper()
	result := p.cli(args...)
	require.Zero(p.t, result.status, result.stderr)
	require.Empty(p.t, result.stderr)
	text := strings.ReplaceAll(result.stdout, p.dir, "DATA")
	text = regexp.MustCompile(`\S+:`+strconv.Itoa(p.cmd.Process.Pid)).ReplaceAllString(text, "NODE")
	text = regexp.MustCompile(`Size          \d+\.\d KiB`).ReplaceAllString(text, "Size          SIZE")
	return regexp.MustCompile(`─+`).ReplaceAllString(text, "──")
}

const sony = `{"id":"sony","name":"Sony","country":"JP","time_zone":"Asia/Tokyo"}`

// inTheLog changes the log of a stopped server.
func inTheLog(t testing.TB, data string, change func(*sqlite.Log)) {
	t.Helper()
	log, err := sqlite.Open(t.Context(), sqlite.Config{Dir: data})
	require.NoError(t, err)
	change(log)
	require.NoError(t, log.Close())
}

func TestLogStatus(t *testing.T) {
	program := start(t, t.TempDir(), "serve")
	require.Equal(t, `Log           sqlite at DATA/tandem.db
Durability    disk
Nodes         NODE owns 64
Size          SIZE
Commits       0, all applied
Waiting       no commands
Owners        every partition has an owner
Dead letters  none
Losses        none
`, program.text("log", "status"), "no table without commits")
	program.do(201, operatorSecret, "POST", "/v1/partners", sony)
	require.Equal(t, `Log           sqlite at DATA/tandem.db
Durability    disk
Nodes         NODE owns 64
Size          SIZE
Commits       2, all applied
Waiting       no commands
Owners        every partition has an owner
Dead letters  none
Losses        none

Partition  Head  Durable  Applied  Lag  Waiting  Oldest  Dead  Epoch  Owner
──
       48     1        1        1    0        0             0      0  NODE
       53     1        1        1    0        0             0      0  NODE
──
  2 of 64     2                      0        0             0
`, program.text("log", "status"))
	require.Equal(t, 64, strings.Count(program.text("log", "status", "--all"), "NODE\n"))

	var printed, answered api.LogState
	require.NoError(t, json.Unmarshal([]byte(program.cli("log", "status", "--json").stdout), &printed))
	program.do(200, operatorSecret, "GET", "/v1/log", "").decode(t, &answered)
	printed.Bytes = answered.Bytes
	require.Equal(t, answered, printed)
	program.stop()
}

func TestLogStatusOfManyNodes(t *testing.T) {
	state := api.LogState{
		Kind: "redis", Place: "redis://127.0.0.1:6379", Durability: "replicated", Bytes: 750 << 20, Limit: 1 << 30,
		Node: "b:2", Nodes: []string{"a:1", "b:2"}, Partitions: make([]api.LogPartition, 4),
		Totals: api.LogTotals{Commits: 1_234_567, Lag: 3, Waiting: 1, OldestSeconds: 75, DeadLetters: 2, Unowned: 2, Losses: 2},
	}
	state.Partitions[0] = api.LogPartition{Head: 1_234_560, Durable: 1_234_559, Applied: 1_234_556, Lag: 3, Owner: "a:1", Waiting: 1, OldestSeconds: 75, DeadLetters: 2}
	state.Partitions[1] = api.LogPartition{Partition: 1, Owner: "b:2"}
	state.Partitions[2] = api.LogPartition{Partition: 2, Head: 5, Durable: 5, Applied: 8, Loss: &api.LogLoss{Known: 8, Stored: 5}}
	state.Partitions[3] = api.LogPartition{Partition: 3, Head: 2, Durable: 2, Applied: 2, Epoch: 1, Loss: &api.LogLoss{Known: 2, Stored: 2}}
	var out bytes.Buffer
	printLog(&out, &state, false)
	require.Equal(t, `Log           redis at redis://127.0.0.1:6379
Durability    replicated
Nodes         a:1 owns 1
              b:2 owns 1, answers this request
Memory        750.0 MiB of 1.0 GiB (73 %)
Commits       1,234,567, 3 not yet applied on the answering node
Waiting       1 command, the oldest for 1m15s
Owners        2 partitions have no owner: 2 3
Dead letters  2; see tandem deadletter list
Losses        2 partitions have lost commits; see below

Partition       Head    Durable    Applied  Lag  Waiting  Oldest  Dead  Epoch  Owner
──
        0  1,234,560  1,234,559  1,234,556    3        1   1m15s     2      0  a:1
        2          5          5          8    0        0             0      0  none: lost commits
        3          2          2          2    0        0             0      1  none: lost commits
──
   3 of 4  1,234,567                          3        1   1m15s     2

Partition 2 lost commits 6 to 8, which were read before.
The partition is unavailable until the commits are restored, or the loss is accepted with:

    tandem log accept-loss 2

Partition 3 has a different history: commit 2 differs from the commit that was read before.
The partition is unavailable until the commits are restored, or the loss is accepted with:

    tandem log accept-loss 3
`, regexp.MustCompile(`─+`).ReplaceAllString(out.String(), "──"))
}

func TestAcceptLossOfAServer(t *testing.T) {
	data := t.TempDir()
	program := start(t, data, "serve")
	program.do(201, operatorSecret, "POST", "/v1/partners", sony)
	program.stop()
	inTheLog(t, data, func(log *sqlite.Log) {
		require.NoError(t, log.ReportLoss(t.Context(), eventlog.LostTailError{Partition: 53, Known: eventlog.Head{Seq: 3}, Stored: eventlog.Head{Seq: 1}}))
	})
	program = start(t, data, "serve")
	require.Contains(t, program.text("log", "status"), "\n    tandem log accept-loss 53\n")
	result := program.cli("log", "accept-loss", "53")
	require.Equal(t, programResult{"", "tandem: this cannot be undone and needs a confirmation: run it on a terminal, or add --yes\n", exitUsage}, result)
	result = program.cli("log", "accept-loss", "53", "7", "--yes")
	require.Equal(t, exitError, result.status)
	require.Equal(t, "tandem: partition 7 has no loss; no loss was accepted\n", result.stderr)
	require.Equal(t, `Partition 53 lost commits 2 to 3, which were read before.
Partition 53 continues after commit 1, in epoch 1.
`, program.text("log", "accept-loss", "53", "--yes"))
	program.stop()
}

func TestConfirmed(t *testing.T) {
	for answer, wanted := range map[string]bool{"yes\n": true, " yes \n": true, "yes": true, "y\n": false, "YES\n": false, "no\n": false, "\n": false, "": false} {
		var asked bytes.Buffer
		require.Equal(t, wanted, confirm(strings.NewReader(answer), &asked), "%q", answer)
		require.Contains(t, asked.String(), "Type yes")
	}
}

// mistake is an invalid call of the program and the expected error.
type mistake struct {
	env    []string
	args   string
	status int
	stderr string
}

// TestCLIErrors checks the error and the exit status of each mistake.
func TestCLIErrors(t *testing.T) {
	program := start(t, t.TempDir(), "serve")
	program.do(201, operatorSecret, "POST", "/v1/partners", sony)
	for name, tc := range program.mistakes() {
		t.Run(name, func(t *testing.T) {
			result := runProgram(t, append([]string{"TANDEM_URL=" + program.url}, tc.env...), strings.Fields(tc.args)...)
			require.Equal(t, tc.status, result.status, result.stderr)
			require.Contains(t, result.stderr, tc.stderr)
			if tc.status != exitOK {
				require.Empty(t, result.stdout)
				require.True(t, strings.HasPrefix(result.stderr, "tandem: "), result.stderr)
			}
		})
	}
	program.stop()
}

func (p *program) mistakes() map[string]mistake {
	t := p.t
	t.Helper()
	token := p.do(201, operatorSecret, "POST", "/v1/partners/sony/tokens", `{"name":"M","role":"manager"}`).field(t, "token")
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "<html>") }))
	t.Cleanup(other.Close)
	elsewhere := httptest.NewServer(http.RedirectHandler(p.url, http.StatusFound))
	t.Cleanup(elsewhere.Close)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(operatorSecret+"\n"), 0o600))
	none := "TANDEM_OPERATOR_TOKEN="
	return map[string]mistake{
		"token in a file":           {[]string{none}, "log status --operator-token-file " + file, exitOK, ""},
		"token in a file, named":    {[]string{none, "TANDEM_OPERATOR_TOKEN_FILE=" + file}, "log status", exitOK, ""},
		"server's own key":          {[]string{"TANDEM_KEY=x"}, "log status", exitOK, ""},
		"trailing slash":            {nil, "log status --url " + p.url + "/", exitOK, ""},
		"no token":                  {[]string{none}, "log status", exitUsage, "set TANDEM_OPERATOR_TOKEN"},
		"no file":                   {[]string{none}, "log status --operator-token-file " + file + "x", exitUsage, "no such file"},
		"short token":               {[]string{none + "short"}, "log status", exitUsage, "at least 16"},
		"wrong token":               {[]string{none + "0123456789abcdef"}, "log status", exitError, "does not accept this token"},
		"a partner's token":         {[]string{none + token}, "log status", exitError, "for the operator, and the token belongs to a manager of sony"},
		"a partner's, for a letter": {[]string{none + token}, "deadletter replay 7 x", exitError, "for the operator, and the token"},
		"no server":                 {nil, "log status --url http://127.0.0.1:1", exitError, "cannot reach http://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused. Is Tandem running there?"},
		"a different server":        {nil, "log status --url " + other.URL, exitError, "but is not Tandem"},
		"sent elsewhere":            {nil, "log status --url " + elsewhere.URL, exitError, "status 302, but is not Tandem"},
		"a path too much":           {nil, "log status --url " + p.url + "/more", exitError, "has no log resource"},
		"no URL":                    {nil, "log status --url 127.0.0.1:8080", exitUsage, "want http:// or https://"},
		"two mistakes":              {[]string{none, "TANDEM_URL=x"}, "log status", exitUsage, "\nthe operator's token is required"},
		"no partition":              {nil, "log accept-loss --yes", exitUsage, "usage is tandem log accept-loss PARTITION..."},
		"wrong partition":           {nil, "log accept-loss 64 --yes", exitUsage, `"64" is not a partition: want 0 to 63`},
		"no such letter":            {nil, "deadletter show 7 x", exitError, "has no dead letter x in partition 7; tandem deadletter list shows all"},
		"no letter":                 {nil, "deadletter show 7", exitUsage, "usage is tandem deadletter show PARTITION ID"},
		"too much":                  {nil, "deadletter list 7", exitUsage, "tandem deadletter list"},
		"no command":                {nil, "deadletter lst", exitUsage, `tandem deadletter has no command "lst"`},
		"no flag":                   {nil, "deadletter list --all", exitUsage, "unknown flag --all; see tandem deadletter list --help"},
	}
}

// readable returns the message payload of a command.
func readable(t testing.TB, c domain.Command) []byte {
	t.Helper()
	name, command, err := domain.EncodeCommand(c)
	require.NoError(t, err)
	return fmt.Appendf(nil, `{"name":"%s","command":%s,"actor":{"member":"operator","role":"operator"},"today":"2018-03-30","requested_at":"2018-03-30T07:00:00Z"}`, name, command)
}

// TestDeadLetterCommands has one letter that is readable by now, and one whose id contains a terminal escape
// sequence.
func TestDeadLetterCommands(t *testing.T) {
	data := t.TempDir()
	program := start(t, data, "serve")
	require.Equal(t, "There are no dead letters.\n", program.text("deadletter", "list"))
	require.Equal(t, `{"dead_letters":[],"next_cursor":null}`+"\n", program.text("deadletter", "list", "--json"))
	program.stop()
	create := readable(t, domain.CreatePartner{
		PartnerID: "sony", Profile: domain.PartnerProfile{Name: "Sony Secret", Country: "JP", TimeZone: "Asia/Tokyo"},
		Reservation: domain.NameReservation{Keys: []string{"sonysecret"}, At: time.Now().UTC().Truncate(time.Hour).Add(time.Hour)},
	})
	at := time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)
	inTheLog(t, data, func(log *sqlite.Log) {
		lease, err := log.Own(t.Context(), 53)
		require.NoError(t, err)
		require.NoError(t, log.Append(t.Context(), eventlog.Batch{Partition: 53, Fence: lease.Fence(), To: eventlog.Offset{0, 1}, DeadLetters: []eventlog.DeadLetter{
			{ID: "00aa", Payload: create, At: at, Reason: `command "partner.create" is not known`},
			{ID: oddID, Payload: []byte("our secret"), At: at.Add(time.Hour), Reason: "panic: " + strings.Repeat("long ", 30) + "\ngoroutine 7 [running]:\n\ttandem/bus"},
		}}))
	})
	program = start(t, data, "serve")
	program.lists(len(create))
	program.shows(len(create))
	program.replays()
	program.stop()
}

// oddID is an id that would turn a terminal red.
const oddID, oddPathID = "it's\x1b[31m/odd", "it%27s%1B%5B31m%2Fodd"

func (p *program) lists(size int) {
	p.t.Helper()
	require.Equal(p.t, fmt.Sprintf(`Partition  At                            Size  ID                     Reason
──
       53  2026-11-20 09:30:00 UTC  %[1]d bytes  00aa                   command "partner.create" is not known
       53  2026-11-20 10:30:00 UTC   10 bytes  %[2]s  panic: long long long long long long long long long long long long long long lo…

2 dead letters. Show the newest with:

    tandem deadletter show 53 %[2]s
`, size, oddPathID), p.text("deadletter", "list"))
}

func (p *program) shows(size int) {
	t := p.t
	t.Helper()
	require.Equal(t, fmt.Sprintf(`Dead letter  00aa
Partition    53
At           2026-11-20 09:30:00 UTC
Size         %d bytes
Command      partner.create, 152 bytes
Sender       member operator, operator
Requested    2018-03-30 07:00:00 UTC
Reason       command "partner.create" is not known

The content of the command belongs to the partners and is not shown.
If this version of the program can read it and the sender has not repeated it, replay it with:

    tandem deadletter replay 53 00aa
`, size), p.text("deadletter", "show", "53", "00aa"))
	odd := p.text("deadletter", "show", "53", oddPathID)
	require.Contains(t, odd, "\nPayload      is not a command envelope; SHA-256 ")
	require.Contains(t, odd, "long long\n             goroutine 7 [running]:\n                 tandem/bus\n")
	require.Equal(t, odd, p.text("deadletter", "show", "53", oddID), "an id may be given as it is, too")
	for _, text := range []string{odd, p.text("deadletter", "list", "--json"), p.text("deadletter", "show", "53", "00aa", "--json")} {
		require.NotContains(t, strings.ToLower(text), "secret")
		require.NotContains(t, text, "\x1b")
	}
}

// replays replays both letters. The readable one is committed, and refused the second time; the other is still
// unreadable.
func (p *program) replays() {
	p.t.Helper()
	require.Regexp(p.t, `^Committed as command [0-9a-f]{32}\. The dead letter is kept\.\n$`, p.text("deadletter", "replay", "53", "00aa"))
	p.do(200, operatorSecret, "GET", "/v1/partners/sony", "")
	result := p.cli("deadletter", "replay", "53", "00aa")
	require.Equal(p.t, exitError, result.status)
	require.Regexp(p.t, `^tandem: command [0-9a-f]{32} was rejected by the rule \w+ and has no effect\n$`, result.stderr)
	result = p.cli("deadletter", "replay", "53", oddID, "--json")
	require.Equal(p.t, exitError, result.status)
	require.Regexp(p.t, `^tandem: the payload is still unreadable and became another dead letter: [0-9a-f]{32}\n$`, result.stderr)
	var sent api.Replayed
	require.NoError(p.t, json.Unmarshal([]byte(result.stdout), &sent))
	require.Equal(p.t, "dead", sent.State)
	require.Contains(p.t, p.text("deadletter", "list"), "\n3 dead letters.")
	require.Contains(p.t, p.text("log", "status"), "Dead letters  3; see tandem deadletter list\n")
}

func TestReplayError(t *testing.T) {
	for state, want := range map[string]string{"pending": "not decided yet", "dead": "became another dead letter", "rejected": "was rejected and has no effect"} {
		require.ErrorContains(t, replayError(api.Replayed{Command: "00aa", State: state}), want)
	}
	require.NoError(t, replayError(api.Replayed{State: "done"}))
}

func TestUnits(t *testing.T) {
	for n, text := range map[uint64]string{0: "0 bytes", 1: "1 byte", 1023: "1,023 bytes", 1024: "1.0 KiB", 1<<20 - 1: "1.0 MiB", 1 << 20: "1.0 MiB", 5 << 40: "5.0 TiB", 5 << 50: "5120.0 TiB"} {
		require.Equal(t, text, formatSize(n))
	}
	for seconds, text := range map[float64]string{0.04: "0.0 s", 59.94: "59.9 s", 60: "1m0s", 3599.6: "1h0m0s", 3600: "1h0m", 90_061: "25h1m"} {
		require.Equal(t, text, formatAge(seconds))
	}
	for text, wanted := range map[string]string{"": "''", "00aa": "00aa", "a%2Fb": "a%2Fb", "a b": "'a b'", "$x": "'$x'", "it's": `'it'\''s'`} {
		require.Equal(t, wanted, shellQuoted(text))
	}
	require.Equal(t, []string{"0", "999", "1,000", "1,234,567"}, []string{formatCount(0), formatCount(999), formatCount(1000), formatCount(1_234_567)})
	require.Error(t, errors.Unwrap(&usageError{errors.New("x")}))
}
