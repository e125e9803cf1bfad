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

// apiClient sends requests to a running server, as the operator or as a member of a partner.
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
func (c *apiClient) load(bound *settings, env lookupEnv) error {
	errs := bound.load(env)
	if err := validateBaseURL(c.baseURL); err != nil {
		errs = append(errs, bound.invalid("url", c.baseURL, err))
	}
	c.baseURL = strings.TrimRight(c.baseURL, "/")
	loadToken := c.loadOperatorToken
	if c.asMember {
		loadToken = c.loadMemberToken
	}
	if err := errors.Join(append(errs, loadToken(bound, env))...); err != nil {
		return &usageError{err}
	}
	return nil
}

func (c *apiClient) loadOperatorToken(bound *settings, env lookupEnv) (err error) {
	if c.token, err = operatorTokenOf(bound, env); err == nil && c.token == "" {
		err = errors.New("the operator's token is required: set TANDEM_OPERATOR_TOKEN, or name a file with --operator-token-file")
	}
	return err
}

// call sends a request and returns the body of a 200 answer. The missing text describes the requested
// resource in the error for a 404 answer.
func (c *apiClient) call(ctx context.Context, method, path string, body any, missing string) ([]byte, error) {
	status, answer, err := c.send(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if status == http.StatusOK {
		return answer, nil
	}
	var problem api.Problem
	if err := json.Unmarshal(answer, &problem); err != nil || problem.Code == "" {
		return nil, c.notTandem(status)
	}
	switch status {
	case http.StatusUnauthorized:
		if c.asMember {
			return nil, fmt.Errorf("%s does not accept this token: it may be revoked or expired", c.baseURL)
		}
		return nil, fmt.Errorf("%s does not accept this token: use the TANDEM_OPERATOR_TOKEN with which the server was started, "+
			"or the token that its first start printed", c.baseURL)
	case http.StatusNotFound:
		return nil, c.notFound(ctx, missing)
	}
	if status < http.StatusInternalServerError {
		return nil, fmt.Errorf("%s (%s)", printable(problem.Detail), printable(problem.Code))
	}
	return nil, fmt.Errorf("%s (%s; see request_id %s in the server's log lines)", printable(problem.Detail), printable(problem.Code), printable(problem.RequestID))
}

// send sends a request and returns the status and the body of an answer in JSON.
func (c *apiClient) send(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.baseURL+path, content)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.httpClient.Do(request)
	if err != nil {
		if cause := new(url.Error); errors.As(err, &cause) {
			err = cause.Err // url.Error repeats the method and the URL
		}
		return 0, nil, fmt.Errorf("cannot reach %s: %w. Is Tandem running there? Set another URL with --url or TANDEM_URL", c.baseURL, err)
	}
	defer response.Body.Close()
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if kind != "application/json" && kind != "application/problem+json" {
		return 0, nil, c.notTandem(response.StatusCode)
	}
	answer, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("the answer of %s is incomplete: %w", c.baseURL, err)
	}
	return response.StatusCode, answer, nil
}

// notTandem returns the error for an answer that Tandem would not give.
func (c *apiClient) notTandem(status int) error {
	return fmt.Errorf("%s answers with status %d, but is not Tandem. Set another URL with --url or TANDEM_URL", c.baseURL, status)
}

// notFound returns the error for a 404 answer, which the server also gives to callers without access.
func (c *apiClient) notFound(ctx context.Context, missing string) error {
	if c.asMember {
		return fmt.Errorf("%s has no %s", c.baseURL, missing)
	}
	status, answer, err := c.send(ctx, http.MethodGet, "/v1/me", nil)
	var me api.Me
	if err == nil && status == http.StatusOK && json.Unmarshal(answer, &me) == nil && me.Role != "operator" {
		return fmt.Errorf("this command is for the operator, and the token belongs to a %s of %s", me.Role, *me.Partner)
	}
	return fmt.Errorf("%s has no %s", c.baseURL, missing)
}

// get decodes the answer to a GET request into target, and returns its body too.
func (c *apiClient) get(ctx context.Context, path string, target any, missing string) ([]byte, error) {
	answer, err := c.call(ctx, http.MethodGet, path, nil, missing)
	if err != nil {
		return nil, err
	}
	return answer, decode(answer, target)
}

func decode(answer []byte, target any) error {
	if err := json.Unmarshal(answer, target); err != nil {
		return fmt.Errorf("the answer cannot be decoded; is this program older than the server? %w", err)
	}
	return nil
}

// printable replaces the characters of a text that are not printable, such as those of terminal escape sequences.
func printable(text string) string {
	return strings.Map(func(char rune) rune {
		if unicode.IsPrint(char) {
			return char
		}
		return '·'
	}, text)
}

// shellQuoted quotes an argument for a shell, if necessary.
func shellQuoted(argument string) string {
	plain := func(char rune) bool {
		return char < unicode.MaxASCII && (unicode.IsLetter(char) || unicode.IsDigit(char) || strings.ContainsRune("%+,-./:=@_~", char))
	}
	if argument != "" && strings.TrimFunc(argument, plain) == "" {
		return argument
	}
	return "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
}

// operatorCommand makes cmd a client command with the operator's token.
func operatorCommand(cmd *cobra.Command, run func(ctx context.Context, client *apiClient, args []string) error) *cobra.Command {
	return clientCommand(cmd, bindOperator(cmd.Flags()), run)
}

// clientCommand makes cmd a command that sends requests to a running server.
func clientCommand(cmd *cobra.Command, client *apiClient, run func(ctx context.Context, client *apiClient, args []string) error) *cobra.Command {
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &usageError{fmt.Errorf("%w: usage is %s", err, cmd.UseLine())}
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
