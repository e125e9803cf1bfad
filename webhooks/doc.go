// Package webhooks tells programs and chat rooms what happened.
package webhooks
