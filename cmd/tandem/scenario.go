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
var nokiaXiaomi []byte

// step is one request of a scenario.
type step struct {
	At      string            `yaml:"at"`
	As      string            `yaml:"as"`
	Do      string            `yaml:"do"`
	Body    yaml.Node         `yaml:"body"`
	Save    map[string]string `yaml:"save"`    // name → field of the answer
	Refused int               `yaml:"refused"` // the status, if the step is there to be refused
}

// request is a step with everything filled in.
type request struct {
	at           time.Time
	method, path string
	body         []byte // JSON; nil for none
}

func parseScenario(text []byte) ([]step, error) {
	var steps []step
	if err := yaml.Unmarshal(text, &steps); err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	return steps, nil
}

// fill replaces dates relative to today and saved names.
func (s step) fill(today time.Time, saved map[string]string) (r request, err error) {
	expand := func(text string) string { return expandNames(expandDates(text, today), saved) }
	if r.at, err = time.Parse(time.RFC3339, expand(s.At)); err != nil {
		return r, err
	}
	method, path, ok := strings.Cut(expand(s.Do), " ")
	if !ok {
		return r, fmt.Errorf("%q is not a method and a path", s.Do)
	}
	r.method, r.path = method, path
	if s.Body.IsZero() {
		return r, nil
	}
	value, err := plain(&s.Body, expand)
	if err != nil {
		return r, err
	}
	r.body, err = json.Marshal(value)
	return r, err
}

// chronological returns the places of the steps in the order of their times. A scenario is told
// project by project, but a log is written forwards.
func chronological(steps []step, today time.Time) ([]int, error) {
	times := make([]time.Time, len(steps))
	order := make([]int, len(steps))
	for i, s := range steps {
		at, err := time.Parse(time.RFC3339, expandDates(s.At, today))
		if err != nil {
			return nil, fmt.Errorf("scenario, step %d: %w", i+1, err)
		}
		times[i], order[i] = at, i
	}
	slices.SortStableFunc(order, func(a, b int) int { return times[a].Compare(times[b]) })
	return order, nil
}

var (
	relativeDate = regexp.MustCompile(`\[today([+-]\d+)?\]`)
	savedName    = regexp.MustCompile(`<([a-z-]+)>`)
)

func expandDates(text string, today time.Time) string {
	return relativeDate.ReplaceAllStringFunc(text, func(found string) string {
		days, _ := strconv.Atoi(relativeDate.FindStringSubmatch(found)[1]) // none is 0
		return today.AddDate(0, 0, days).Format(time.DateOnly)
	})
}

func expandNames(text string, saved map[string]string) string {
	return savedName.ReplaceAllStringFunc(text, func(found string) string {
		if value, ok := saved[strings.Trim(found, "<>")]; ok {
			return value
		}
		return found
	})
}

// plain turns a YAML node into what encoding/json writes. Dates stay text.
func plain(n *yaml.Node, expand func(string) string) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		object := make(map[string]any, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			value, err := plain(n.Content[i+1], expand)
			if err != nil {
				return nil, err
			}
			object[n.Content[i].Value] = value
		}
		return object, nil
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			value, err := plain(item, expand)
			if err != nil {
				return nil, err
			}
			list[i] = value
		}
		return list, nil
	case yaml.ScalarNode:
		if n.Tag == "!!str" || n.Tag == "!!timestamp" {
			return expand(n.Value), nil
		}
		var value any
		err := n.Decode(&value)
		return value, err
	}
	return nil, fmt.Errorf("line %d: a scenario holds only plain values", n.Line)
}
