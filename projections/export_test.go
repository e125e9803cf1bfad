package projections

// Previous is previous, for tests.
var Previous = previous
