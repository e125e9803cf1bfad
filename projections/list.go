package projections

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"tandem/domain"
)

// MilestoneQuery says which milestones are wanted; empty fields do not matter.
type MilestoneQuery struct {
	Agreement           domain.AgreementID
	Project             domain.ProjectID // needs Agreement to name one project
	State               domain.MilestoneState
	Health              domain.Health
	Role                string      // "owner" or "acceptor": the viewer's part
	DueBefore, DueAfter domain.Date // both exclusive
	Overdue             *bool
	Limit               int    // 1 to 200
	Cursor              string // where the page before ended
}

// ErrCursor says that a cursor is not one that a list has given.
var ErrCursor = errors.New("the cursor is none of this list's")

// Milestones returns a page of the milestones that the viewer may see, sorted by due date,
// agreement, project and id, and the cursor of the next page, nil at the end. The error is
// ErrCursor.
func (v *View) Milestones(q MilestoneQuery) ([]Milestone, *string, error) {
	return listed(v, q, v.milestoneShape)
}

// listed returns a page of what shape makes of the milestones that are wanted.
func listed[T any](v *View, q MilestoneQuery, shape func(*milestoneNode) T) ([]T, *string, error) {
	nodes := v.candidates(q)
	if q.Cursor != "" {
		key, err := parseCursor(q.Cursor)
		if err != nil {
			return nil, nil, err
		}
		i, found := slices.BinarySearchFunc(nodes, key, func(m *milestoneNode, k milestoneKey) int { return m.key().compare(k) })
		if found {
			i++
		}
		nodes = nodes[i:]
	}
	shapes := []T{}
	var last milestoneKey
	for _, n := range nodes {
		if !v.wanted(n, q) {
			continue
		}
		if len(shapes) == q.Limit {
			next := last.cursor()
			return shapes, &next, nil
		}
		shapes = append(shapes, shape(n))
		last = n.key()
	}
	return shapes, nil, nil
}

// candidates returns the viewer's milestones in order, narrowed to the project when there is one.
func (v *View) candidates(q MilestoneQuery) []*milestoneNode {
	if q.Agreement == "" || q.Project == "" {
		return v.me.milestones
	}
	p := v.project(q.Agreement, q.Project)
	if p == nil {
		return nil
	}
	var nodes []*milestoneNode
	for _, m := range p.milestones {
		if m.entity.Sees(v.who.Partner, p.entity) {
			nodes = append(nodes, m)
		}
	}
	slices.SortFunc(nodes, compareMilestones)
	return nodes
}

func (v *View) wanted(n *milestoneNode, q MilestoneQuery) bool {
	m := n.entity
	switch {
	case !v.reaches(m.Ref.Agreement),
		q.Agreement != "" && m.Ref.Agreement != q.Agreement,
		q.Project != "" && m.Ref.Project != q.Project,
		q.State != "" && m.State != q.State,
		q.Health != "" && m.Health != q.Health,
		q.Role == "owner" && m.Plan.Owner != v.who.Partner,
		q.Role == "acceptor" && !slices.Contains(m.Plan.Acceptors, v.who.Partner),
		q.DueBefore != 0 && m.Plan.DueOn >= q.DueBefore,
		q.DueAfter != 0 && m.Plan.DueOn <= q.DueAfter,
		q.Overdue != nil && v.overdue(m) != *q.Overdue:
		return false
	}
	return true
}

// cursor returns the key as opaque text.
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
