//go:build !linux

package sqlite

// platformRoles is empty: only Linux can make system calls of a process fail.
func platformRoles() map[string]role { return nil }
