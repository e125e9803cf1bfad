package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	api "tandem/http"
)

// memberCommand makes c a command that speaks to a server for a partner, with a token of the partner's.
func memberCommand(cmd *cobra.Command, run func(ctx context.Context, client *apiClient, args []string) error) *cobra.Command {
	return clientCommand(cmd, bindMember(cmd.Flags()), run)
}

func bindMember(flags *pflag.FlagSet) *apiClient {
	client := newAPIClient(flags)
	client.asMember = true
	flags.StringVar(&client.tokenFile, "token-file", "", "file with a token of the partner (or TANDEM_TOKEN)")
	return client
}

// loadToken reads the partner's token: the environment's, or of a file.
func (r *apiClient) loadToken(env func(string) (string, bool)) error {
	if name, ok := env("TANDEM_TOKEN_FILE"); ok && r.tokenFile == "" {
		r.tokenFile = name
	}
	r.token, _ = env("TANDEM_TOKEN")
	if r.token == "" && r.tokenFile != "" {
		raw, err := os.ReadFile(r.tokenFile)
		if err != nil {
			return fmt.Errorf("--token-file: %w", err)
		}
		r.token = strings.TrimSpace(string(raw))
	}
	if r.token == "" {
		return errors.New("a token of the partner is needed: set TANDEM_TOKEN, or name a file that has it with --token-file")
	}
	return nil
}

// partnerPath asks whose token it is and returns the path of that partner.
func (r *apiClient) partnerPath(ctx context.Context) (string, error) {
	var me api.Me
	if _, err := r.get(ctx, "/v1/me", &me, "such user"); err != nil {
		return "", err
	}
	if me.Partner == nil {
		return "", errors.New("this is for partners, and the token is the operator's")
	}
	return "/v1/partners/" + url.PathEscape(string(*me.Partner)), nil
}
