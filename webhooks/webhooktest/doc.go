// Package webhooktest provides strict fakes of the services that receive webhooks. Each fake is an [http.Handler]
// that rejects the requests that the service rejects (by size, signature, clock, rate and shape), sends the service's
// responses, including errors with status 200, and records accepted messages as people see them.
//
// The fakes parse the markup of a service independently of package formats. Tests compare the markup and the mentions
// that they find. The fakes follow the vendors' documentation and are stricter than the services: they reject JSON
// members that Tandem does not send.
package webhooktest
