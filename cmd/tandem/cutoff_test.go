package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tandem/eventlog/eventlogtest"
	"tandem/eventlog/redis/redistest"
)

// TestCutOffNode: a node that is disconnected from the log cannot learn that a token was revoked on another
// node. After staleAfter it refuses all requests.
func TestCutOffNode(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	wire := redistest.NewProxy(t, server.Addr())
	here, there := startNodes(t, 1, server.URL()), startNodes(t, 1, "redis://"+wire.Addr())
	world := arrangeAgreements(here.at(0), 1)
	program := there.at(0)
	made := here.at(0).do(201, operatorSecret, "POST", "/v1/partners/nokia/tokens", `{"name":"short-lived","role":"viewer"}`)
	token := made.field(t, "token")
	eventually(t, 5*time.Second, "the token to be good there", func() bool {
		answer, err := program.try(t.Context(), token, "GET", "/v1/me", "")
		return err == nil && answer.status == 200
	})
	wire.Hang()
	here.at(0).do(204, operatorSecret, "DELETE", "/v1/partners/nokia/tokens/"+made.field(t, "id"), "")
	served := eventually(t, 10*time.Second, "the token to be refused", func() bool {
		answer, err := program.try(t.Context(), token, "GET", "/v1/me", "")
		return err == nil && answer.status == 503
	})
	if eventlogtest.AllRounds() { // the time depends on the machine
		require.Less(t, served, 2500*time.Millisecond)
	}
	program.do(503, world.nokia, "GET", world.milestone(world.agreements[0]), "")
	program.do(503, "", "GET", "/readyz", "")
	wire.Resume()
	back := eventually(t, 20*time.Second, "the node to serve again", func() bool {
		answer, err := program.try(t.Context(), world.nokia, "GET", world.milestone(world.agreements[0]), "")
		return err == nil && answer.status == 200
	})
	program.do(401, token, "GET", "/v1/me", "")
	t.Logf("a disconnected node served a revoked token for %v, then refused all requests, and served again %v after the connection was restored",
		served.Round(time.Millisecond), back.Round(time.Millisecond))
	here.stop()
	there.stop()
}
