// Package redistest runs real Redis servers in tests: durable servers, replicas, a cluster, a Sentinel, and a proxy
// that interrupts the network between two of them. It does not depend on other packages of Tandem.
//
//	server := redistest.Start(t, "maxmemory 50mb")
//	server.Client().Set(ctx, "k", "v", 0)
//	server.Kill()  // SIGKILL, as a crash
//	server.Start() // same port, same data
//
// # Guarantees
//
// A server listens on 127.0.0.1 only, keeps its data below t.TempDir, and ends with the test together with its child
// processes. On Linux it also ends when the test program is killed.
//
// A method returns when its effect is complete: Kill when the process has ended, Start when the data is loaded and the
// server accepts commands, Pause when the process is stopped, ReplicaOf when the replica has the data. A method that
// does not complete within [Timeout] fails the test with the reason. When a test fails, its log shows the last lines
// that its servers wrote.
//
// All methods may be called concurrently.
//
// # Ports
//
// Ports are below the range of outgoing connections. No client can take the port of a killed server before Start.
package redistest
