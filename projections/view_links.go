package projections

import (
	"strconv"
	"strings"

	"tandem/domain"
)

// links makes the url fields of shapes.
type links struct{ baseURL string }

func (l links) url(segments ...string) string {
	var text strings.Builder
	text.WriteString(l.baseURL)
	text.WriteString("/v1")
	for _, segment := range segments {
		text.WriteByte('/')
		text.WriteString(segment)
	}
	return text.String()
}

func (l links) milestoneURL(ref domain.MilestoneRef) string {
	return l.url("agreements", string(ref.Agreement), "projects", string(ref.Project), "milestones", string(ref.Milestone))
}

func (l links) amendmentURL(agreement domain.AgreementID, number int) string {
	return l.url("agreements", string(agreement), "amendments", strconv.Itoa(number))
}

func (l links) changeURL(ref domain.ProjectRef, number int) string {
	return l.url("agreements", string(ref.Agreement), "projects", string(ref.Project), "changes", strconv.Itoa(number))
}
