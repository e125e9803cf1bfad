package api

import (
	"tandem/domain"
)

// Problem is the answer to a request that was refused or failed (RFC 9457).
type Problem struct {
	Type      string              `json:"type" format:"uri-reference" doc:"Names the rule, like code."`
	Title     string              `json:"title"`
	Status    int                 `json:"status"`
	Detail    string              `json:"detail"`
	Code      string              `json:"code" doc:"Stable, for programs."`
	Errors    []domain.FieldError `json:"errors" doc:"What is wrong with which field; empty unless fields are."`
	RequestID string              `json:"request_id" doc:"The log has it beside the cause."`
}

// Command is what became of a write whose outcome was open when it was answered.
type Command struct {
	ID       string   `json:"id"`
	State    string   `json:"state" enum:"pending,done,rejected"`
	Resource *string  `json:"resource" doc:"The path of what it made or changed, once done."`
	Problem  *Problem `json:"problem" doc:"Why it was rejected."`
}

// Probe is the answer to a probe that found nothing wrong.
type Probe struct {
	Status string `json:"status" enum:"ok"`
}
