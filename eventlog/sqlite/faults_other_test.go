//go:build !linux

package sqlite

// platformRoles has none: only Linux lets a process order its own faults.
func platformRoles() map[string]role { return nil }
