package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	api "tandem/http"
)

// remote is a running server, as its operator reaches it, or a member of a partner.
type remote struct {
	url       string
	tokenFile string
	member    bool
	token     string
	client    *http.Client
}

const defaultURL = "http://127.0.0.1:8080"

// newRemote binds what all commands have that speak to a server.
func newRemote(flags *pflag.FlagSet) *remote {
	r := &remote{client: &http.Client{
		Timeout:       90 * time.Second, // more than any answer takes that was asked to wait
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	flags.StringVar(&r.url, "url", "", "address of the server (TANDEM_URL; default "+defaultURL+")")
	return r
}

// bindRemote binds what the operator's commands have.
func bindRemote(flags *pflag.FlagSet) *remote {
	r := newRemote(flags)
	flags.StringVar(&r.tokenFile, "operator-token-file", "", "file with the operator's token (or TANDEM_OPERATOR_TOKEN)")
	return r
}

// load adds the environment and checks everything; the error names every mistake.
func (r *remote) load(env func(string) (string, bool)) error {
	mistakes := []error{r.loadURL(env)}
	if r.member {
		if err := errors.Join(append(mistakes, r.loadToken(env))...); err != nil {
			return &usageError{err}
		}
		return nil
	}
	secrets := config{operatorTokenFile: r.tokenFile}
	if name, ok := env("TANDEM_OPERATOR_TOKEN_FILE"); ok && r.tokenFile == "" {
		secrets.operatorTokenFile = name
	}
	wrong := secrets.loadSecrets(func(name string) (string, bool) {
		if name == "TANDEM_KEY" {
			return "", false // the server's business
		}
		return env(name)
	})
	if r.token = secrets.operatorToken; r.token == "" && len(wrong) == 0 {
		wrong = append(wrong, errors.New("the operator's token is needed: set TANDEM_OPERATOR_TOKEN, or name a file that has it with --operator-token-file"))
	}
	if err := errors.Join(append(mistakes, wrong...)...); err != nil {
		return &usageError{err}
	}
	return nil
}

func (r *remote) loadURL(env func(string) (string, bool)) error {
	if value, ok := env("TANDEM_URL"); ok && r.url == "" {
		r.url = value
	}
	if r.url == "" {
		r.url = defaultURL
	}
	u, err := url.Parse(r.url)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("--url %q: want http:// or https://, a host, and at most a path", r.url)
	}
	r.url = strings.TrimRight(r.url, "/")
	return nil
}

// ask sends a request and returns the body of a good answer. What the path names is told when it is
// not there. The error says what to do about it.
func (r *remote) ask(ctx context.Context, method, path string, body any, names string) ([]byte, error) {
	status, answer, err := r.send(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if status == http.StatusOK {
		return answer, nil
	}
	var p api.Problem
	if err := json.Unmarshal(answer, &p); err != nil || p.Code == "" {
		return nil, r.stranger(status)
	}
	switch status {
	case http.StatusUnauthorized:
		if r.member {
			return nil, fmt.Errorf("%s does not know this token; perhaps it was revoked or has expired", r.url)
		}
		return nil, fmt.Errorf("%s does not know this token. It is the one in TANDEM_OPERATOR_TOKEN when the server was started, "+
			"or the one that its first start showed", r.url)
	case http.StatusNotFound:
		return nil, r.notFound(ctx, names)
	}
	if status < http.StatusInternalServerError {
		return nil, fmt.Errorf("%s (%s)", printable(p.Detail), printable(p.Code))
	}
	return nil, fmt.Errorf("%s (%s; the server's log has more under request_id %s)", printable(p.Detail), printable(p.Code), printable(p.RequestID))
}

func (r *remote) send(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, r.url+path, content)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := r.client.Do(request)
	if err != nil {
		if cause := new(url.Error); errors.As(err, &cause) {
			err = cause.Err // without the method and the address, which is told once
		}
		return 0, nil, fmt.Errorf("cannot reach %s: %w. Is Tandem running there? Another address goes into --url or TANDEM_URL", r.url, err)
	}
	defer response.Body.Close()
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if kind != "application/json" && kind != "application/problem+json" {
		return 0, nil, r.stranger(response.StatusCode)
	}
	answer, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("the answer of %s broke off: %w", r.url, err)
	}
	return response.StatusCode, answer, nil
}

func (r *remote) stranger(status int) error {
	return fmt.Errorf("%s answers with status %d, but not as Tandem does. Another address goes into --url or TANDEM_URL", r.url, status)
}

// notFound finds out whether nothing is there or the caller is nobody who may see it.
func (r *remote) notFound(ctx context.Context, names string) error {
	if r.member {
		return fmt.Errorf("%s has no %s", r.url, names)
	}
	status, answer, err := r.send(ctx, http.MethodGet, "/v1/me", nil)
	var me api.Me
	if err == nil && status == http.StatusOK && json.Unmarshal(answer, &me) == nil && me.Role != "operator" {
		return fmt.Errorf("this is for the operator only, and the token is a %s's of %s", me.Role, *me.Partner)
	}
	return fmt.Errorf("%s has no %s", r.url, names)
}

// get asks for what is decoded into v, and returns it as it came, too.
func (r *remote) get(ctx context.Context, path string, v any, names string) ([]byte, error) {
	answer, err := r.ask(ctx, http.MethodGet, path, nil, names)
	if err != nil {
		return nil, err
	}
	return answer, decode(answer, v)
}

func decode(answer []byte, v any) error {
	if err := json.Unmarshal(answer, v); err != nil {
		return fmt.Errorf("the answer is not understood; is this program as new as the server? %w", err)
	}
	return nil
}

// printable takes out of a text what could move a terminal's cursor or change its colours.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '·'
	}, text)
}

// quoted writes an argument as a shell takes it.
func quoted(argument string) string {
	plain := func(c rune) bool {
		return c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("%+,-./:=@_~", c))
	}
	if argument != "" && strings.TrimFunc(argument, plain) == "" {
		return argument
	}
	return "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
}

// remoteCommand makes c a command of the operator's that speaks to a server.
func remoteCommand(c *cobra.Command, run func(ctx context.Context, r *remote, args []string) error) *cobra.Command {
	return commandOver(c, bindRemote(c.Flags()), run)
}

func commandOver(c *cobra.Command, r *remote, run func(ctx context.Context, r *remote, args []string) error) *cobra.Command {
	check := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return &usageError{fmt.Errorf("%w: want %s", err, c.UseLine())}
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := r.load(os.LookupEnv); err != nil {
			return err
		}
		return run(c.Context(), r, args)
	}
	return c
}

// group is a command that only has others below it.
func group(name, short string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{fmt.Errorf("%s has no command %q", c.CommandPath(), args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
}
