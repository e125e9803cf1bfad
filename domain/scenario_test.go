package domain

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the outcomes in the scenario files")

// The scenario files are readable without programming; see testdata/scenarios/README.md for the format.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	require.NoError(t, err)
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			written, err := os.ReadFile(path)
			require.NoError(t, err)
			played := play(t, string(written))
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(played), 0o600))
				return
			}
			require.Equal(t, string(written), played,
				"%s: the outcome is not the written one; if it should be, rewrite it with -update", path)
		})
	}
}

func TestEveryRuleHasAScenarioWithARefusal(t *testing.T) {
	for _, rule := range []string{"R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10", "R11", "R12", "R14", "R15", "R16", "R17"} {
		files, err := filepath.Glob("testdata/scenarios/" + rule + "-*.txt")
		require.NoError(t, err)
		refusals := 0
		for _, path := range files {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(data), "# "+rule+": "), "%s begins with its rule", path)
			refusals += strings.Count(string(data), "\n!! ")
		}
		require.NotZero(t, refusals, "%s has a scenario in which something is refused", rule)
	}
}

// scenario is the state of one file while it runs.
type scenario struct {
	t         *testing.T
	ledger    *ledger
	agreement AgreementID // default agreement of paths
	today     Date
}

// firstDay is the day before the first line of a scenario with a date.
const firstDay = Date(2017_07_05)

// play returns the file with its present outcomes.
func play(t *testing.T, file string) string {
	s := &scenario{t: t, ledger: newLedger(t), today: firstDay}
	var out strings.Builder
	for line := range strings.Lines(file) {
		if isOutcome(line) {
			continue
		}
		out.WriteString(line)
		for _, outcome := range s.line(strings.TrimSpace(line)) {
			out.WriteString(outcome + "\n")
		}
	}
	s.ledger.check()
	return out.String()
}

func isOutcome(line string) bool {
	return strings.HasPrefix(line, "-> ") || strings.HasPrefix(line, "!! ") || strings.HasPrefix(line, "== ")
}

func (s *scenario) line(line string) []string {
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "", "#":
		return nil
	case "given":
		s.given(rest)
		return nil
	case "on":
		return s.on(rest)
	case "then":
		return s.then(rest)
	}
	s.t.Fatalf("%q begins neither with given, on, then nor #", line)
	return nil
}

var onLine = regexp.MustCompile(`^(\S+) ([a-z0-9-]+)(?: \((viewer|clerk|token of the operator|seeing version (\d+)|token ([a-z0-9-]+))\))?: (.+)$`)

// on plays a line such as "2018-03-30 nokia (viewer): deliver ip-routing/fp4-trial".
func (s *scenario) on(rest string) []string {
	parts := onLine.FindStringSubmatch(rest)
	require.NotNil(s.t, parts, "cannot read: on %s", rest)
	date, err := ParseDate(parts[1])
	require.NoError(s.t, err)
	s.today = date
	dc := s.meta(PartnerID(parts[2]))
	switch parts[3] {
	case "viewer":
		dc.Actor.Role, dc.Actor.MaySign = Viewer, false
	case "clerk":
		dc.Actor.MaySign = false
	case "token of the operator":
		dc.Actor.ViaOperator, dc.Actor.MaySign = true, false
	}
	if parts[4] != "" {
		var version uint64
		_, err := fmt.Sscan(parts[4], &version)
		require.NoError(s.t, err)
		dc.IfMatch = &version
	}
	if parts[5] != "" {
		dc.Actor = s.holder(TokenRef{PartnerID(parts[2]), TokenID(parts[5])})
	}
	events, refusal := s.ledger.do(s.command(parts[6]), dc)
	if refusal != nil {
		return []string{"!! " + refusalLine(refusal)}
	}
	outcome := make([]string, len(events))
	for i, event := range events {
		outcome[i] = "-> " + eventLine(s.t, event)
	}
	return outcome
}

// meta returns the context of a command at noon of the scenario's day.
func (s *scenario) meta(by PartnerID) DecisionContext {
	actor := Actor{Partner: by, Member: MemberID(by + "-manager"), Role: Manager, MaySign: true}
	if by == "operator" {
		actor = Actor{Member: "operator", Role: Operator}
	}
	if by == "tandem" {
		actor = Actor{Member: "system", Role: System}
	}
	return DecisionContext{Actor: actor, At: s.today.Time().Add(12 * time.Hour), Today: s.today}
}

// holder returns the actor of a token.
func (s *scenario) holder(ref TokenRef) Actor {
	token := s.ledger.plain.Token(ref)
	require.NotNil(s.t, token, "no token %s", ref.Token)
	member := s.ledger.plain.Member(MemberRef{ref.Partner, token.Member})
	return Actor{
		Partner: ref.Partner, Member: token.Member, Role: token.RoleFor(member), ViaOperator: token.ViaOperator,
		Confirmed: token.Confirmed, MaySign: token.MaySign(member),
	}
}

// must runs a command of the setup.
func (s *scenario) must(by PartnerID, command string, args ...any) {
	s.t.Helper()
	line := fmt.Sprintf(command, args...)
	dc := s.meta(by)
	if strings.HasPrefix(line, "plan ") {
		dc.Today = firstDay // planned early enough for any due date
	}
	_, refusal := s.ledger.do(s.command(line), dc)
	require.Nil(s.t, refusal, "given %s: %s", by, line)
}

func refusalLine(e *Error) string {
	if len(e.Fields) < 2 {
		return e.Error()
	}
	said := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		said[i] = f.String()
	}
	return e.Code + ": " + strings.Join(said, " | ")
}

var sentence = map[string]*regexp.Regexp{
	"agreement": regexp.MustCompile(`^an? (draft|signed) agreement ([a-z0-9-]+) between (.+?)(?: with (.+))?$`),
	"project":   regexp.MustCompile(`^an? (proposed|exploring|committed|active|paused|stopped|completed) project ([a-z0-9-]+) of (.+?)(?: with (.+))?$`),
	"milestone": regexp.MustCompile(`^an? (planned|started|delivered|rejected|disputed|accepted|private) milestone (\S+) of ([a-z0-9-]+)(?: with (.+))?$`),
	"partner":   regexp.MustCompile(`^a partner ([a-z0-9-]+)$`),
}

// given creates a state such as "a signed agreement nokia-xiaomi between nokia and xiaomi".
func (s *scenario) given(what string) {
	if p := sentence["agreement"].FindStringSubmatch(what); p != nil {
		s.givenAgreement(p[1], AgreementID(p[2]), names(p[3]), p[4])
		return
	}
	if p := sentence["project"].FindStringSubmatch(what); p != nil {
		s.givenProject(Stage(p[1]), p[2], names(p[3]), p[4])
		return
	}
	if p := sentence["milestone"].FindStringSubmatch(what); p != nil {
		s.givenMilestone(p[1], p[2], PartnerID(p[3]), p[4])
		return
	}
	p := sentence["partner"].FindStringSubmatch(what)
	require.NotNil(s.t, p, "cannot read: given %s", what)
	s.must("operator", "create-partner %s", p[1])
}

// names reads "nokia, xiaomi and zte".
func names(list string) []PartnerID {
	var ids []PartnerID
	for name := range strings.FieldsFuncSeq(strings.ReplaceAll(list, " and ", " "), func(char rune) bool { return char == ' ' || char == ',' }) {
		ids = append(ids, PartnerID(name))
	}
	return ids
}

func join(ids []PartnerID) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, ",")
}

func (s *scenario) givenAgreement(state string, id AgreementID, parties []PartnerID, terms string) {
	s.must(parties[0], "draft %s parties=%s %s", id, join(parties), terms)
	s.agreement = id
	if state == "draft" {
		return
	}
	for _, partner := range parties {
		s.must(partner, "sign %s", id)
	}
}

func (s *scenario) givenProject(stage Stage, id string, partners []PartnerID, fields string) {
	first := Committed
	if stage.Tentative() {
		first = stage
	}
	lead := partners[0]
	s.must(lead, "create-project %s stage=%s lead=%s participants=%s %s", id, first, lead, join(partners), fields)
	for _, partner := range partners[1:] {
		if first == Committed {
			s.must(partner, "commit %s", id)
		}
	}
	steps := map[Stage][]string{
		Active: {"start-project"}, Paused: {"start-project", `pause reason="given"`},
		Completed: {"start-project", "complete"}, Stopped: {`stop reason="given"`},
	}
	for _, step := range steps[stage] {
		verb, arg, _ := strings.Cut(step, " ")
		callers := partners[:1]
		if verb == "complete" || verb == "stop" {
			callers = partners
		}
		for _, partner := range callers {
			s.must(partner, "%s %s %s", verb, id, arg)
		}
	}
}

func (s *scenario) givenMilestone(state, path string, owner PartnerID, fields string) {
	if state == "private" {
		fields += " private=yes"
	}
	s.must(owner, "plan %s owner=%s %s", path, owner, fields)
	if state == "planned" || state == "private" {
		return
	}
	s.must(owner, "start %s", path)
	if state == "started" {
		return
	}
	s.must(owner, "deliver %s", path)
	if state == "delivered" {
		return
	}
	acceptors := s.ledger.plain.Milestone(s.milestone(path)).Plan.Acceptors
	if state == "accepted" {
		for _, partner := range acceptors {
			s.must(partner, "accept %s", path)
		}
		return
	}
	s.must(acceptors[0], `reject %s reasons="given"`, path)
	if state == "disputed" {
		s.must(owner, `dispute %s reason="given"`, path)
	}
}

// milestone reads "project/milestone" or "agreement/project/milestone".
func (s *scenario) milestone(path string) MilestoneRef {
	parts := strings.Split(path, "/")
	switch len(parts) {
	case 2:
		return MilestoneRef{s.agreement, ProjectID(parts[0]), MilestoneID(parts[1])}
	case 3:
		return MilestoneRef{AgreementID(parts[0]), ProjectID(parts[1]), MilestoneID(parts[2])}
	}
	require.FailNow(s.t, "not a milestone's path", path)
	return MilestoneRef{}
}

// project reads "project" or "agreement/project".
func (s *scenario) project(path string) ProjectRef {
	agreement, project, two := strings.Cut(path, "/")
	if !two {
		return ProjectRef{s.agreement, ProjectID(path)}
	}
	return ProjectRef{AgreementID(agreement), ProjectID(project)}
}
