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

// connection is a connection to the file, for one goroutine at a time. It bypasses database/sql, whose cost per row
// would exceed that of reading the row.
type connection struct {
	driver interface {
		driver.Conn
		driver.ExecerContext
	}
	stmts []*preparedStmt
}

// connect opens or creates the file and runs the statements.
func connect(file string, statements ...string) (*connection, error) {
	opener := &sqlite3.Driver{}
	raw, err := opener.Open((&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String())
	if err != nil {
		return nil, explain(err)
	}
	conn := &connection{}
	conn.driver, _ = raw.(interface {
		driver.Conn
		driver.ExecerContext
	})
	for _, statement := range statements {
		if err := conn.exec(statement); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
	}
	return conn, nil
}

func (c *connection) exec(statement string) error {
	_, err := c.driver.ExecContext(context.Background(), statement, nil)
	return explain(err)
}

func (c *connection) close() error {
	var errs []error
	for _, stmt := range c.stmts {
		errs = append(errs, stmt.driver.Close())
	}
	return errors.Join(append(errs, c.driver.Close())...)
}

// query prepares a statement, runs it once and calls row for each row.
func (c *connection) query(sql string, row func([]driver.Value) error, args ...driver.Value) error {
	stmt, err := c.prepare(sql)
	if err != nil {
		return err
	}
	defer stmt.driver.Close() // it is used up; only the error of the rows matters
	c.stmts = c.stmts[:len(c.stmts)-1]
	return stmt.query(row, args...)
}

// preparedStmt is a prepared statement.
type preparedStmt struct {
	driver interface {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
	}
	args []driver.NamedValue
	row  []driver.Value
}

func (c *connection) prepare(sql string) (*preparedStmt, error) {
	raw, err := c.driver.Prepare(sql)
	if err != nil {
		return nil, explain(err)
	}
	stmt := &preparedStmt{}
	stmt.driver, _ = raw.(interface {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
	})
	c.stmts = append(c.stmts, stmt)
	return stmt, nil
}

func (s *preparedStmt) bind(args []driver.Value) []driver.NamedValue {
	s.args = s.args[:0]
	for i, value := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: value})
	}
	return s.args
}

// exec runs the statement. No caller's context interrupts it, because a statement of the writer serves many callers.
func (s *preparedStmt) exec(args ...driver.Value) error {
	_, err := s.driver.ExecContext(context.Background(), s.bind(args))
	return explain(err)
}

// errStopQuery ends a query early.
var errStopQuery = errors.New("query stopped")

// query calls row for each row of the result. The slice is valid during the call; blobs and strings stay valid. query
// stops at the first error of row; errStopQuery stops it without an error.
func (s *preparedStmt) query(row func([]driver.Value) error, args ...driver.Value) error {
	rows, err := s.driver.QueryContext(context.Background(), s.bind(args))
	if err != nil {
		return explain(err)
	}
	if n := len(rows.Columns()); len(s.row) != n {
		s.row = make([]driver.Value, n)
	}
	err = s.each(rows, row)
	if closed := rows.Close(); err == nil { // after an error Close returns the same error again
		err = explain(closed)
	}
	return err
}

func (s *preparedStmt) each(rows driver.Rows, row func([]driver.Value) error) error {
	for {
		if err := rows.Next(s.row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return explain(err)
		}
		if err := row(s.row); errors.Is(err, errStopQuery) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// explain wraps an error of SQLite with its meaning and a remedy.
func explain(err error) error {
	var fault *sqlite3.Error
	if !errors.As(err, &fault) {
		return err
	}
	switch fault.Code() & 0xff {
	case code.SQLITE_CORRUPT, code.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w; keep the file for inspection and restore a backup", eventlog.ErrDamaged, err)
	case code.SQLITE_FULL:
		return fmt.Errorf("%w; free space on the disk and start again", err)
	case code.SQLITE_READONLY, code.SQLITE_CANTOPEN, code.SQLITE_PERM:
		return fmt.Errorf("%w; make the data directory and its files writable for this user", err)
	case code.SQLITE_IOERR:
		return fmt.Errorf("%w; check the disk and its space, then start again", err)
	case code.SQLITE_BUSY, code.SQLITE_LOCKED:
		return fmt.Errorf("%w; another program writes to the file: end it and start again", err)
	}
	return err
}
