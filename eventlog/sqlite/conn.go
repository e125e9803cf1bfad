package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	sqlite3 "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"tandem/eventlog"
)

// conn is one connection to the file. It is used without database/sql, which would cost more per
// row than reading it does. One goroutine at a time may use it.
type conn struct {
	raw interface {
		driver.Conn
		driver.ExecerContext
	}
	stmts []*stmt
}

// connect opens the file, making it if need be, and runs the statements.
func connect(file string, statements ...string) (*conn, error) {
	opener := &sqlite3.Driver{}
	raw, err := opener.Open((&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String())
	if err != nil {
		return nil, explain(err)
	}
	c := &conn{}
	c.raw, _ = raw.(interface {
		driver.Conn
		driver.ExecerContext
	})
	for _, statement := range statements {
		if err := c.exec(statement); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
	}
	return c, nil
}

func (c *conn) exec(statement string) error {
	_, err := c.raw.ExecContext(context.Background(), statement, nil)
	return explain(err)
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.raw.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

// query runs a statement once and calls row for each of its rows.
func (c *conn) query(statement string, row func([]driver.Value) error, args ...driver.Value) error {
	s, err := c.prepare(statement)
	if err != nil {
		return err
	}
	defer s.raw.Close() // it was used up; only the rows' error counts
	c.stmts = c.stmts[:len(c.stmts)-1]
	return s.query(row, args...)
}

// stmt is a prepared statement.
type stmt struct {
	raw interface {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
	}
	args []driver.NamedValue
	row  []driver.Value
}

func (c *conn) prepare(statement string) (*stmt, error) {
	raw, err := c.raw.Prepare(statement)
	if err != nil {
		return nil, explain(err)
	}
	s := &stmt{}
	s.raw, _ = raw.(interface {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
	})
	c.stmts = append(c.stmts, s)
	return s, nil
}

func (s *stmt) bind(args []driver.Value) []driver.NamedValue {
	s.args = s.args[:0]
	for i, v := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return s.args
}

// exec runs the statement. The context of a caller never interrupts it: a statement of the writer
// belongs to many callers.
func (s *stmt) exec(args ...driver.Value) error {
	_, err := s.raw.ExecContext(context.Background(), s.bind(args))
	return explain(err)
}

// errEnough ends a query early.
var errEnough = errors.New("no more rows are wanted")

// query calls row for each row of the result; the values are valid during the call, blobs and
// strings for ever. It stops at the first error of row; errEnough only stops it.
func (s *stmt) query(row func([]driver.Value) error, args ...driver.Value) error {
	rows, err := s.raw.QueryContext(context.Background(), s.bind(args))
	if err != nil {
		return explain(err)
	}
	if n := len(rows.Columns()); len(s.row) != n {
		s.row = make([]driver.Value, n)
	}
	err = s.each(rows, row)
	if closed := rows.Close(); err == nil { // after an error Close returns the same again
		err = explain(closed)
	}
	return err
}

func (s *stmt) each(rows driver.Rows, row func([]driver.Value) error) error {
	for {
		if err := rows.Next(s.row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return explain(err)
		}
		if err := row(s.row); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// explain adds to an error of SQLite what it means here and what can be done.
func explain(err error) error {
	var fault *sqlite3.Error
	if !errors.As(err, &fault) {
		return err
	}
	switch fault.Code() & 0xff {
	case code.SQLITE_CORRUPT, code.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w; keep the file for inspection and restore a backup", eventlog.ErrDamaged, err)
	case code.SQLITE_FULL:
		return fmt.Errorf("%w; make room on the disk and start again", err)
	case code.SQLITE_READONLY, code.SQLITE_CANTOPEN, code.SQLITE_PERM:
		return fmt.Errorf("%w; make the data directory and its files writable for this user", err)
	case code.SQLITE_IOERR:
		return fmt.Errorf("%w; check the disk and its space, then start again", err)
	case code.SQLITE_BUSY, code.SQLITE_LOCKED:
		return fmt.Errorf("%w; another program writes to the file, end it and start again", err)
	}
	return err
}
