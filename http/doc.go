// Package http is Tandem's edge: the JSON API on Echo.
//
// Everything it serves is in one table, [routes]. From it come Echo's registration, the OpenAPI
// description at /openapi.json and the test that tries every actor on every route.
//
// # Promises
//
// A request is checked in one order: 401 for the token, 404 for what the caller may not see (byte
// for byte the answer to what does not exist, request_id aside), 413 and 415, 400 for what cannot be
// parsed, 422 for wrong values, and only then what the domain says: 403, 412, 409, 422. A request
// that is refused changes nothing.
//
// Every refusal is an RFC 9457 problem with a stable code. A fault of the program is a 500 with an
// id that the log has beside the cause; nothing of the cause leaves the process.
//
// A write is a command: its id, and whatever it generates (ids, suffixes, secrets), derive from the
// installation key, the member, the root and the client's Idempotency-Key, so that a repeat is the
// same command and gets the same answer.
//
// A read of something cached costs a token check, a look into the image and a write of ready
// bytes.
//
// The operator is told how the log is getting on, in counts, and of dead letters who sent them and
// where reading them failed: never what is under an agreement.
//
// This package alone knows Echo. It reads through package projections, which enforces who may see
// what, and writes through a [Commander].
package http
