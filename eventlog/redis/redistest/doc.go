// Package redistest runs real Redis servers for tests: durable ones, replicas, a cluster, a
// sentinel, and a proxy that breaks the network between two of them. It knows nothing of Tandem.
//
//	server := redistest.Start(t, "maxmemory 50mb")
//	server.Client().Set(ctx, "k", "v", 0)
//	server.Kill()  // SIGKILL, as a crash would
//	server.Begin() // the same port, the same data
//
// # Promises
//
// A server listens on 127.0.0.1 only, keeps its data below t.TempDir and is gone when the test
// ends, with the processes that it forked. Where the system can do that (Linux), it is also gone
// when the test program itself is killed.
//
// Every verb returns when what it names has happened: Kill when the process is gone, Begin when
// the data is loaded and commands are served, Pause when nothing is executed any more, ReplicaOf when
// the replica has the data. A verb that cannot keep that within [Patience] fails the test and
// says why. When a test has failed, the last lines that its servers wrote are in its log.
//
// The verbs may be called by several goroutines at once.
//
// # Ports
//
// Ports lie below those that systems give to outgoing connections. A port of a killed server can
// therefore not be taken by a client, and Begin finds it free.
package redistest
