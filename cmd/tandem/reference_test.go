package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// asReference is the environment variable that makes the test binary serve the reference for the benchmarks, in
// the directory that is its value: a bare Echo server with one handler that writes the bytes of the file "page"
// with the headers of the file "headers", and one that group-commits request bodies to SQLite. They check no
// tokens, rules or versions.
const asReference = "TANDEM_TEST_AS_REFERENCE"

func serveReference() {
	dir := os.Getenv(asReference)
	page, err := os.ReadFile(filepath.Join(dir, "page"))
	must(err)
	text, err := os.ReadFile(filepath.Join(dir, "headers"))
	must(err)
	var header http.Header
	must(json.Unmarshal(text, &header))
	tag, cache, position := header.Get("Etag"), header.Get("Cache-Control"), header.Get("Tandem-Position")
	log, err := openReferenceLog(filepath.Join(dir, "reference.db"))
	must(err)
	server := echo.New()
	server.HideBanner, server.HidePort = true, true
	server.GET("/page", func(ctx echo.Context) error {
		header := ctx.Response().Header()
		header.Set("Etag", tag)
		header.Set("Cache-Control", cache)
		header.Set("Tandem-Position", position)
		if ctx.Request().Header.Get("If-None-Match") == tag {
			return ctx.NoContent(http.StatusNotModified)
		}
		return ctx.Blob(http.StatusOK, "application/json", page)
	})
	server.POST("/append", func(ctx echo.Context) error {
		body, err := io.ReadAll(ctx.Request().Body)
		if err != nil {
			return err
		}
		if err := log.append(body); err != nil {
			return err
		}
		return ctx.Blob(http.StatusOK, "application/json", body)
	})
	serveRedisReference(server, dir)
	server.Listener, err = net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println("http://" + server.Listener.Addr().String())
	must(server.Start(""))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// referenceLog appends rows to SQLite. All rows that are queued during an fsync share the next transaction.
type referenceLog struct {
	db    *sql.DB
	queue chan referenceRow
}

type referenceRow struct {
	body []byte
	done chan error
}

func openReferenceLog(path string) (*referenceLog, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, body BLOB)"); err != nil {
		return nil, err
	}
	log := &referenceLog{db: db, queue: make(chan referenceRow, 1024)}
	go log.run()
	return log, nil
}

func (l *referenceLog) append(body []byte) error {
	row := referenceRow{body, make(chan error, 1)}
	l.queue <- row
	return <-row.done
}

func (l *referenceLog) run() {
	for first := range l.queue {
		group := []referenceRow{first}
		for more := true; more; {
			select {
			case row := <-l.queue:
				group = append(group, row)
			default:
				more = false
			}
		}
		err := l.commit(group)
		for _, row := range group {
			row.done <- err
		}
	}
}

func (l *referenceLog) commit(group []referenceRow) error {
	tx, err := l.db.Begin()
	if err != nil {
		return err
	}
	insert, err := tx.Prepare("INSERT INTO log (body) VALUES (?)")
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	for _, row := range group {
		if _, err := insert.Exec(row.body); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// startReference runs the reference as a process, with additional files, and returns its URL.
func startReference(t testing.TB, page answer, more ...map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "page"), page.body, 0o600))
	header, err := json.Marshal(page.header)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "headers"), header, 0o600))
	for _, files := range more {
		for name, content := range files {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
		}
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asReference+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line := make([]byte, 64)
	n, err := out.Read(line)
	require.NoError(t, err)
	return strings.TrimSpace(string(line[:n]))
}
