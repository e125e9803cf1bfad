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

	"tandem/api"
)

// apiClient is a running server, as its operator reaches it, or a member of a partner.
type apiClient struct {
	baseURL    string
	asMember   bool // a member of a partner, with a token of that partner
	token      string
	httpClient *http.Client
}

// newAPIClient binds the flags that all commands of a running server have.
func newAPIClient(flags *pflag.FlagSet) *apiClient {
	client := &apiClient{httpClient: &http.Client{
		Timeout:       90 * time.Second, // longer than the server lets any request wait
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	flags.StringVar(&client.baseURL, "url", "http://127.0.0.1:8080", "URL of the server")
	return client
}

// bindOperator binds the flags that the operator's commands have.
func bindOperator(flags *pflag.FlagSet) *apiClient {
	client := newAPIClient(flags)
	flags.String("operator-token-file", "", "file with the operator's token; takes precedence over TANDEM_OPERATOR_TOKEN")
	return client
}

// load reads the environment and validates the settings. The error lists every invalid value.
func (r *apiClient) load(bound *settings, env lookupEnv) error {
	errs := bound.load(env)
	if err := validateBaseURL(r.baseURL); err != nil {
		errs = append(errs, bound.invalid("url", r.baseURL, err))
	}
	r.baseURL = strings.TrimRight(r.baseURL, "/")
	loadToken := r.loadOperatorToken
	if r.asMember {
		loadToken = r.loadMemberToken
	}
	if err := errors.Join(append(errs, loadToken(bound, env))...); err != nil {
		return &usageError{err}
	}
	return nil
}

func (r *apiClient) loadOperatorToken(bound *settings, env lookupEnv) (err error) {
	if r.token, err = operatorTokenOf(bound, env); err == nil && r.token == "" {
		err = errors.New("the operator's token is required: set TANDEM_OPERATOR_TOKEN, or name a file with --operator-token-file")
	}
	return err
}

// call sends a request and returns the body of a good answer. What the path names is told when it is
// not there. The error says what to do about it.
func (r *apiClient) call(ctx context.Context, method, path string, body any, missing string) ([]byte, error) {
	status, answer, err := r.send(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if status == http.StatusOK {
		return answer, nil
	}
	var problem api.Problem
	if err := json.Unmarshal(answer, &problem); err != nil || problem.Code == "" {
		return nil, r.notTandem(status)
	}
	switch status {
	case http.StatusUnauthorized:
		if r.asMember {
			return nil, fmt.Errorf("%s does not know this token; perhaps it was revoked or has expired", r.baseURL)
		}
		return nil, fmt.Errorf("%s does not know this token. It is the one in TANDEM_OPERATOR_TOKEN when the server was started, "+
			"or the one that its first start showed", r.baseURL)
	case http.StatusNotFound:
		return nil, r.notFound(ctx, missing)
	}
	if status < http.StatusInternalServerError {
		return nil, fmt.Errorf("%s (%s)", printable(problem.Detail), printable(problem.Code))
	}
	return nil, fmt.Errorf("%s (%s; the server's log has more under request_id %s)", printable(problem.Detail), printable(problem.Code), printable(problem.RequestID))
}

func (r *apiClient) send(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, r.baseURL+path, content)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := r.httpClient.Do(request)
	if err != nil {
		if cause := new(url.Error); errors.As(err, &cause) {
			err = cause.Err // without the method and the address, which is told once
		}
		return 0, nil, fmt.Errorf("cannot reach %s: %w. Is Tandem running there? Another address goes into --url or TANDEM_URL", r.baseURL, err)
	}
	defer response.Body.Close()
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if kind != "application/json" && kind != "application/problem+json" {
		return 0, nil, r.notTandem(response.StatusCode)
	}
	answer, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("the answer of %s broke off: %w", r.baseURL, err)
	}
	return response.StatusCode, answer, nil
}

func (r *apiClient) notTandem(status int) error {
	return fmt.Errorf("%s answers with status %d, but not as Tandem does. Another address goes into --url or TANDEM_URL", r.baseURL, status)
}

// notFound finds out whether nothing is there or the caller is nobody who may see it.
func (r *apiClient) notFound(ctx context.Context, missing string) error {
	if r.asMember {
		return fmt.Errorf("%s has no %s", r.baseURL, missing)
	}
	status, answer, err := r.send(ctx, http.MethodGet, "/v1/me", nil)
	var me api.Me
	if err == nil && status == http.StatusOK && json.Unmarshal(answer, &me) == nil && me.Role != "operator" {
		return fmt.Errorf("this is for the operator only, and the token is a %s's of %s", me.Role, *me.Partner)
	}
	return fmt.Errorf("%s has no %s", r.baseURL, missing)
}

// get asks for what is decoded into v, and returns it as it came, too.
func (r *apiClient) get(ctx context.Context, path string, target any, missing string) ([]byte, error) {
	answer, err := r.call(ctx, http.MethodGet, path, nil, missing)
	if err != nil {
		return nil, err
	}
	return answer, decode(answer, target)
}

func decode(answer []byte, target any) error {
	if err := json.Unmarshal(answer, target); err != nil {
		return fmt.Errorf("the answer is not understood; is this program as new as the server? %w", err)
	}
	return nil
}

// printable takes out of a text what could move a terminal's cursor or change its colours.
func printable(text string) string {
	return strings.Map(func(char rune) rune {
		if unicode.IsPrint(char) {
			return char
		}
		return '·'
	}, text)
}

// shellQuoted writes an argument as a shell takes it.
func shellQuoted(argument string) string {
	plain := func(char rune) bool {
		return char < unicode.MaxASCII && (unicode.IsLetter(char) || unicode.IsDigit(char) || strings.ContainsRune("%+,-./:=@_~", char))
	}
	if argument != "" && strings.TrimFunc(argument, plain) == "" {
		return argument
	}
	return "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
}

// operatorCommand makes c a command of the operator's that speaks to a server.
func operatorCommand(cmd *cobra.Command, run func(ctx context.Context, client *apiClient, args []string) error) *cobra.Command {
	return clientCommand(cmd, bindOperator(cmd.Flags()), run)
}

func clientCommand(cmd *cobra.Command, client *apiClient, run func(ctx context.Context, client *apiClient, args []string) error) *cobra.Command {
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &usageError{fmt.Errorf("%w: want %s", err, cmd.UseLine())}
		}
		return nil
	}
	bound := bindSettings(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := client.load(bound, os.LookupEnv); err != nil {
			return err
		}
		return run(cmd.Context(), client, args)
	}
	return cmd
}

// groupCommand returns a command that only groups its subcommands.
func groupCommand(name, short string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
}
