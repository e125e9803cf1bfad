package api

// Problem is the response to a request that was refused or failed (RFC 9457).
type Problem struct {
	Type      string       `json:"type" format:"uri-reference" doc:"Identifies the rule, like code."`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	Code      string       `json:"code" doc:"A stable code for programs."`
	Errors    []FieldError `json:"errors" doc:"Errors by field; empty if no field is invalid."`
	RequestID string       `json:"request_id" doc:"The server's log line contains it with the cause."`
}

// FieldError describes an invalid field of a request.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message" doc:"The problem with the value, then the remedy."`
}

// Command is the state of a command that was pending when its request was answered.
type Command struct {
	ID       string   `json:"id"`
	State    string   `json:"state" enum:"pending,done,rejected"`
	Resource *string  `json:"resource" doc:"Path of the created or changed resource, once done."`
	Problem  *Problem `json:"problem" doc:"Why it was rejected."`
}

// Probe is the response of a successful probe.
type Probe struct {
	Status string `json:"status" enum:"ok"`
}
