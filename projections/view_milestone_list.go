package projections

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"tandem/api"
	"tandem/domain"
)

// MilestoneQuery selects milestones. An empty field selects all.
type MilestoneQuery struct {
	Agreement           domain.AgreementID
	Project             domain.ProjectID // selects one project only together with Agreement
	State               domain.MilestoneState
	Health              domain.Health
	Role                string      // "owner" or "acceptor": the viewer's role in the milestone
	DueBefore, DueAfter domain.Date // exclusive
	Overdue             *bool
	Limit               int    // 1 to 200
	Cursor              string // next_cursor of the page before
}

// ErrCursor means that a cursor was not returned by a list of milestones.
var ErrCursor = errors.New("the cursor was not returned by this list")

// Milestones returns a page of the visible milestones that match the query, sorted by due date, agreement,
// project and id, and the cursor of the next page, or nil at the end. The error is ErrCursor.
func (v *View) Milestones(query MilestoneQuery) ([]api.Milestone, *string, error) {
	return milestonePage(v, query, v.milestoneShape)
}

// milestonePage returns a page of shapes of the milestones that match the query.
func milestonePage[T any](view *View, query MilestoneQuery, shape func(*milestoneNode) T) ([]T, *string, error) {
	nodes := view.candidates(query)
	if query.Cursor != "" {
		key, err := parseCursor(query.Cursor)
		if err != nil {
			return nil, nil, err
		}
		i, found := slices.BinarySearchFunc(nodes, key, func(milestone *milestoneNode, key milestoneKey) int { return milestone.key().compare(key) })
		if found {
			i++
		}
		nodes = nodes[i:]
	}
	shapes := []T{}
	var last milestoneKey
	for _, node := range nodes {
		if !view.matches(node, query) {
			continue
		}
		if len(shapes) == query.Limit {
			next := last.cursor()
			return shapes, &next, nil
		}
		shapes = append(shapes, shape(node))
		last = node.key()
	}
	return shapes, nil, nil
}

// candidates returns the visible milestones, of one project if the query names one, in the order of lists.
func (v *View) candidates(query MilestoneQuery) []*milestoneNode {
	if query.Agreement == "" || query.Project == "" {
		return v.node.milestones
	}
	project := v.project(query.Agreement, query.Project)
	if project == nil {
		return nil
	}
	var nodes []*milestoneNode
	for _, milestone := range project.milestones {
		if milestone.entity.VisibleTo(v.viewer.Partner, project.entity) {
			nodes = append(nodes, milestone)
		}
	}
	slices.SortFunc(nodes, compareMilestones)
	return nodes
}

func (v *View) matches(node *milestoneNode, query MilestoneQuery) bool {
	milestone := node.entity
	switch {
	case !v.inScope(milestone.Ref.Agreement),
		query.Agreement != "" && milestone.Ref.Agreement != query.Agreement,
		query.Project != "" && milestone.Ref.Project != query.Project,
		query.State != "" && milestone.State != query.State,
		query.Health != "" && milestone.Report(v.ended(node)).Health != query.Health,
		query.Role == "owner" && milestone.Plan.Owner != v.viewer.Partner,
		query.Role == "acceptor" && !slices.Contains(milestone.Plan.Acceptors, v.viewer.Partner),
		query.DueBefore != 0 && milestone.Plan.DueOn >= query.DueBefore,
		query.DueAfter != 0 && milestone.Plan.DueOn <= query.DueAfter,
		query.Overdue != nil && v.overdue(node) != *query.Overdue:
		return false
	}
	return true
}

// cursor returns the key as an opaque text.
func (k milestoneKey) cursor() string {
	text := strings.Join([]string{k.due.String(), string(k.ref.Agreement), string(k.ref.Project), string(k.ref.Milestone)}, "/")
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func parseCursor(cursor string) (milestoneKey, error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return milestoneKey{}, ErrCursor
	}
	parts := strings.Split(string(text), "/")
	if len(parts) != 4 {
		return milestoneKey{}, ErrCursor
	}
	for _, id := range parts[1:] {
		if !domain.ValidSlug(id) {
			return milestoneKey{}, ErrCursor
		}
	}
	due, err := domain.ParseDate(parts[0])
	if err != nil {
		return milestoneKey{}, ErrCursor
	}
	ref := domain.MilestoneRef{
		Agreement: domain.AgreementID(parts[1]), Project: domain.ProjectID(parts[2]), Milestone: domain.MilestoneID(parts[3]),
	}
	return milestoneKey{due, ref}, nil
}
