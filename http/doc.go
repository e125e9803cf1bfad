// Package http serves the JSON API on Echo.
//
// Every operation is one row of the table returned by [routes]. Echo's registration, the OpenAPI description at
// /openapi.json and the isolation test over all actors and routes are generated from it.
//
// # Promises
//
// A request is checked in this order: 401 for the token; 404 for an invisible resource, with the same bytes as for a
// nonexistent one apart from request_id; 413 and 415; 400 if it cannot be parsed; 422 for invalid values; then the
// domain's refusals: 403, 412, 409, 422. A refused request changes no state.
//
// Every refusal is an RFC 9457 problem with a stable code. An internal error is a 500 with a request id, under which
// the logger's output contains the cause; the cause is not sent to the client.
//
// A write is a command. Its id and everything it generates (ids, suffixes, secrets) derive from the installation key,
// the member, the root and the client's Idempotency-Key, so that a repeat is the same command and gets the same
// response.
//
// A read of a cached page costs a token check, a lookup in the read model and a write of rendered bytes.
//
// The operator sees counts of the log, and senders and errors of dead letters, but no content of agreements.
//
// Only this package imports Echo. It reads through package projections, which enforces visibility, and writes through
// a [Commander].
package http
