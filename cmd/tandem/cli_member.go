package main

import (
	"context"
	"errors"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tandem/api"
)

// memberCommand makes c a command that speaks to a server for a partner, with a token of the partner's.
func memberCommand(cmd *cobra.Command, run func(ctx context.Context, client *apiClient, args []string) error) *cobra.Command {
	return clientCommand(cmd, bindMember(cmd.Flags()), run)
}

func bindMember(flags *pflag.FlagSet) *apiClient {
	client := newAPIClient(flags)
	client.asMember = true
	flags.String("token-file", "", "file with a token of the partner; takes precedence over TANDEM_TOKEN")
	return client
}

func (r *apiClient) loadMemberToken(bound *settings, env lookupEnv) (err error) {
	if r.token, _, err = bound.token("TANDEM_TOKEN", "token-file", env); err == nil && r.token == "" {
		err = errors.New("a token of the partner is required: set TANDEM_TOKEN, or name a file with --token-file")
	}
	return err
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
