// Package webhooktest has strict fakes of the tools that webhooks talk to: each is an [http.Handler] that
// refuses what the real one refuses (size, signature, clock, rate, shape), answers as it answers, errors inside
// a 200 too, and keeps what it took, rendered as people would see it.
//
// The readers know the tools' markup and nothing of how a message was made. What they find alive in a message, marks
// and mentions, is what a test compares. They were written from the vendors' documentation, not from the
// tools, and check more than those do: they take no field that Tandem has no use for.
package webhooktest
