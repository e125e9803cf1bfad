package main

import (
	"context"
	"errors"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tandem/api"
)

// memberCommand makes cmd a client command with a token of a partner.
func memberCommand(cmd *cobra.Command, run func(ctx context.Context, client *apiClient, args []string) error) *cobra.Command {
	return clientCommand(cmd, bindMember(cmd.Flags()), run)
}

// bindMember binds the flags that the commands of partners have.
func bindMember(flags *pflag.FlagSet) *apiClient {
	client := newAPIClient(flags)
	client.asMember = true
	flags.String("token-file", "", "file with a token of the partner; takes precedence over TANDEM_TOKEN")
	return client
}

func (c *apiClient) loadMemberToken(bound *settings, env lookupEnv) (err error) {
	if c.token, _, err = bound.token("TANDEM_TOKEN", "token-file", env); err == nil && c.token == "" {
		err = errors.New("a token of the partner is required: set TANDEM_TOKEN, or name a file with --token-file")
	}
	return err
}

// partnerPath returns the path of the partner to which the token belongs.
func (c *apiClient) partnerPath(ctx context.Context) (string, error) {
	var me api.Me
	if _, err := c.get(ctx, "/v1/me", &me, "such user"); err != nil {
		return "", err
	}
	if me.Partner == nil {
		return "", errors.New("this command is for partners, and the token is the operator's")
	}
	return "/v1/partners/" + url.PathEscape(string(*me.Partner)), nil
}
