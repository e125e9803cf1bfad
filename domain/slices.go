package domain

import (
	"slices"
	"strings"
)

// without returns a copy of list without the value.
func without[T comparable](list []T, value T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(element T) bool { return element == value })
}

// with returns a copy of list with the value appended.
func with[T any](list []T, value T) []T { return append(slices.Clip(list), value) }

// upsert returns a copy of list, which is sorted by key, with the value inserted in place of the element with the
// same key, if any.
func upsert[T any](list []T, value T, key func(T) string) []T {
	at, found := slices.BinarySearchFunc(list, key(value), func(element T, wanted string) int { return strings.Compare(key(element), wanted) })
	list = slices.Clone(list)
	if found {
		list[at] = value
		return list
	}
	return slices.Insert(list, at, value)
}

// duplicate returns the first element that occurs a second time.
func duplicate[T comparable](list []T) (T, bool) {
	for i, value := range list {
		if slices.Contains(list[:i], value) {
			return value, true
		}
	}
	var none T
	return none, false
}
