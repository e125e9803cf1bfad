// Package api contains the JSON shapes of the HTTP API's requests and responses.
//
// It has no logic and imports package domain only for ids, dates and enumerations, so that a client
// does not import the server. Field names are stable; openapi.json documents each field.
package api
