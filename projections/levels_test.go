package projections

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// levels are the prefixes of the package's file names from the bottom to the top, each with the reason why a
// file must not refer to a declaration of a level above its own.
var levels = []struct{ prefix, reason string }{
	{"index", "indexes are data structures that do not depend on entities or views"},
	{"fold", "the fold follows from the events alone; it does not depend on who reads it or how it is locked"},
	{"state", "the parts that share the store do not depend on what is rendered from it"},
	{"view", "a view is rendered from one consistent store; it does not read the log and is not cached"},
	{"event", "reading events needs views, but not the cache of rendered pages"},
	{"page", "pages are made of views; they do not know how the store is kept up to date"},
	{"snapshot", "a snapshot holds a store; it does not know when it is written"},
	{"follow", "the follower keeps the store up to date; it does not know which parts a read model consists of"},
	{"readmodel", "the read model joins the parts"},
}

// TestNoReferenceRunsUpwards type-checks the package without its imports. References through values that only
// an imported generic function gives a type are therefore not seen.
func TestNoReferenceRunsUpwards(t *testing.T) {
	fset, files := parsePackage(t)
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: noImports{}, Error: func(error) {}}
	pkg, _ := config.Check("projections", fset, files, info)
	fileOf := func(pos token.Pos) string { return filepath.Base(fset.Position(pos).Filename) }
	references := 0
	for ident, object := range info.Uses {
		if object.Pkg() != pkg || !object.Pos().IsValid() || fileOf(ident.Pos()) == fileOf(object.Pos()) {
			continue
		}
		references++
		from, to := levelOf(t, fileOf(ident.Pos())), levelOf(t, fileOf(object.Pos()))
		require.LessOrEqualf(t, to, from, "%s refers to %s of %s: %s",
			fset.Position(ident.Pos()), object.Name(), fileOf(object.Pos()), levels[from].reason)
	}
	require.Greater(t, references, 500, "the references of the package were not resolved")
}

func parsePackage(t *testing.T) (*token.FileSet, []*ast.File) {
	fset := token.NewFileSet()
	paths, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") || path == "doc.go" {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	return fset, files
}

// levelOf returns the index of a file's level in levels.
func levelOf(t *testing.T, file string) int {
	t.Helper()
	prefix, _, _ := strings.Cut(strings.TrimSuffix(file, ".go"), "_")
	for i, level := range levels {
		if level.prefix == prefix {
			return i
		}
	}
	require.FailNowf(t, "unknown level", "%s: name the file after one of the levels in levels_test.go", file)
	return -1
}

// noImports gives empty packages, so that checking needs no compiled dependencies.
type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) {
	pkg := types.NewPackage(path, filepath.Base(path))
	pkg.MarkComplete()
	return pkg, nil
}
