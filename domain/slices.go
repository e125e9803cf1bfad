package domain

import (
	"slices"
	"strings"
)

// without returns a copy of list that lacks x.
func without[T comparable](list []T, x T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(y T) bool { return y == x })
}

// with returns a copy of list that ends in x.
func with[T any](list []T, x T) []T { return append(slices.Clip(list), x) }

// put returns a copy of list in which the element with x's key, if any, is replaced by x; a new
// one goes to its place in the order of keys.
func put[T any](list []T, x T, key func(T) string) []T {
	i, found := slices.BinarySearchFunc(list, key(x), func(y T, k string) int { return strings.Compare(key(y), k) })
	list = slices.Clone(list)
	if found {
		list[i] = x
		return list
	}
	return slices.Insert(list, i, x)
}

// duplicate returns the first element that occurs twice.
func duplicate[T comparable](list []T) (T, bool) {
	for i, x := range list {
		if slices.Contains(list[:i], x) {
			return x, true
		}
	}
	var none T
	return none, false
}
