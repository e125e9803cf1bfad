package projections

import (
	"fmt"
	"slices"
	"strings"

	"tandem/api"
	"tandem/domain"
)

// inbox makes the items of the viewer's inbox.
type inbox struct {
	*View
	language string // of reasons; see untexted
}

// untexted is the language of an inbox whose items are counted only and have no reasons.
const untexted = "-"

// Inbox returns the items that wait for the viewer, oldest first, sorted by InboxItemKey. Their reasons are in a language of
// package sentences; any other is English.
func (v *View) Inbox(language string) []api.InboxItem { return inbox{v, language}.items() }

func (v inbox) items() []api.InboxItem {
	items := []api.InboxItem{}
	for _, node := range v.node.milestones {
		if v.inScope(node.entity.Ref.Agreement) {
			items = append(items, v.milestoneItems(node)...)
		}
	}
	for _, agreement := range v.agreements() {
		items = append(items, v.signatureItems(agreement)...)
		items = append(items, v.amendmentItems(agreement)...)
		items = append(items, v.endItems(agreement)...)
		for _, project := range v.projectsOf(agreement) {
			items = append(items, v.projectItems(project)...)
		}
	}
	items = append(items, v.noticeItems()...)
	slices.SortFunc(items, func(one, other api.InboxItem) int { return strings.Compare(InboxItemKey(one), InboxItemKey(other)) })
	return items
}

// values are the arguments of a message.
type values map[string]any

// text returns the message "inbox." and name.
func (v inbox) text(name string, data values) string {
	if v.language == untexted {
		return ""
	}
	return v.book.Text(v.language, "inbox."+name, data)
}

func (v inbox) date(date domain.Date) string { return v.book.Date(v.language, date) }

// needsDecision reports whether the viewer must decide on the item. It need not for a notice, or for a
// condition that it has to meet and another partner decides on.
func needsDecision(item api.InboxItem) bool { return item.Kind != "notice" && !item.MustMeet }

// countDecisions returns the number of items that need a decision.
func countDecisions(items []api.InboxItem) (n int) {
	for _, item := range items {
		if needsDecision(item) {
			n++
		}
	}
	return n
}

// InboxItemKey returns the sort key of an item, which is unique within an inbox.
func InboxItemKey(item api.InboxItem) string {
	key := item.Since.UTC().Format("2006-01-02T15:04:05.000000") + "/"
	if item.Agreement != nil {
		key += string(*item.Agreement)
	}
	if item.Project != nil {
		key += "/" + string(*item.Project)
	}
	if item.Milestone != nil {
		key += "/" + string(*item.Milestone)
	}
	key += "/" + item.Kind
	for _, number := range []*int{item.Amendment, item.Change, item.Condition} {
		if number != nil {
			key += fmt.Sprintf("/%09d", *number)
		}
	}
	if item.Notice != nil {
		key += "/" + string(*item.Notice)
	}
	return key
}
