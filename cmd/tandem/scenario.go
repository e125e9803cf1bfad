package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "embed"

	"go.yaml.in/yaml/v3"
)

//go:embed demo/nokia-xiaomi.yaml
var nokiaXiaomiScenario []byte

// scenarioStep is one request of a scenario.
type scenarioStep struct {
	At      string            `yaml:"at"`
	As      string            `yaml:"as"`
	Do      string            `yaml:"do"`
	Body    yaml.Node         `yaml:"body"`
	Save    map[string]string `yaml:"save"`    // fields of the answer to save, by the name to save them under
	Refused int               `yaml:"refused"` // expected status of a step that must be refused; 0: it must succeed
}

// scenarioRequest is a step with its dates and names resolved.
type scenarioRequest struct {
	at           time.Time
	method, path string
	body         []byte // JSON; nil for none
}

func parseScenario(text []byte) ([]scenarioStep, error) {
	var steps []scenarioStep
	if err := yaml.Unmarshal(text, &steps); err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	return steps, nil
}

// resolve replaces relative dates and saved names.
func (s scenarioStep) resolve(today time.Time, saved map[string]string) (resolved scenarioRequest, err error) {
	expand := func(text string) string { return expandNames(expandDates(text, today), saved) }
	if resolved.at, err = time.Parse(time.RFC3339, expand(s.At)); err != nil {
		return resolved, err
	}
	method, path, ok := strings.Cut(expand(s.Do), " ")
	if !ok {
		return resolved, fmt.Errorf("%q is not a method and a path", s.Do)
	}
	resolved.method, resolved.path = method, path
	if s.Body.IsZero() {
		return resolved, nil
	}
	value, err := yamlValue(&s.Body, expand)
	if err != nil {
		return resolved, err
	}
	resolved.body, err = json.Marshal(value)
	return resolved, err
}

// chronologicalOrder returns the indices of the steps, sorted by time. A scenario lists its steps by
// project, but the log records them in order of time.
func chronologicalOrder(steps []scenarioStep, today time.Time) ([]int, error) {
	times := make([]time.Time, len(steps))
	order := make([]int, len(steps))
	for i, step := range steps {
		at, err := time.Parse(time.RFC3339, expandDates(step.At, today))
		if err != nil {
			return nil, fmt.Errorf("scenario, step %d: %w", i+1, err)
		}
		times[i], order[i] = at, i
	}
	slices.SortStableFunc(order, func(left, right int) int { return times[left].Compare(times[right]) })
	return order, nil
}

var (
	relativeDate = regexp.MustCompile(`\[workday([+-]\d+)?\]`)
	savedName    = regexp.MustCompile(`<([a-z-]+)>`)
)

// expandDates replaces [workday-30] by the date 30 working days before today, and [workday+14] likewise.
func expandDates(text string, today time.Time) string {
	return relativeDate.ReplaceAllStringFunc(text, func(found string) string {
		days, _ := strconv.Atoi(relativeDate.FindStringSubmatch(found)[1]) // none is 0
		return addWorkdays(today, days).Format(time.DateOnly)
	})
}

// addWorkdays returns the day that is n working days, Monday to Friday, after the given one. A weekend counts as the
// Friday before it.
func addWorkdays(day time.Time, n int) time.Time {
	for !isWorkday(day) {
		day = day.AddDate(0, 0, -1)
	}
	step := 1
	if n < 0 {
		n, step = -n, -1
	}
	for n > 0 {
		if day = day.AddDate(0, 0, step); isWorkday(day) {
			n--
		}
	}
	return day
}

func isWorkday(day time.Time) bool {
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday
}

func expandNames(text string, saved map[string]string) string {
	return savedName.ReplaceAllStringFunc(text, func(found string) string {
		if value, ok := saved[strings.Trim(found, "<>")]; ok {
			return value
		}
		return found
	})
}

// yamlValue converts a YAML node to a value for encoding/json. Dates remain text.
func yamlValue(node *yaml.Node, expand func(string) string) (any, error) {
	switch node.Kind {
	case yaml.MappingNode:
		object := make(map[string]any, len(node.Content)/2)
		for i := 0; i < len(node.Content); i += 2 {
			value, err := yamlValue(node.Content[i+1], expand)
			if err != nil {
				return nil, err
			}
			object[node.Content[i].Value] = value
		}
		return object, nil
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, item := range node.Content {
			value, err := yamlValue(item, expand)
			if err != nil {
				return nil, err
			}
			list[i] = value
		}
		return list, nil
	case yaml.ScalarNode:
		if node.Tag == "!!str" || node.Tag == "!!timestamp" {
			return expand(node.Value), nil
		}
		var value any
		err := node.Decode(&value)
		return value, err
	}
	return nil, fmt.Errorf("line %d: a scenario must contain only plain values", node.Line)
}
