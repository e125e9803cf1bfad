package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// callFlags are the flags that belong to one call of a command and so have no environment variable.
var callFlags = []string{"help", "all", "json", "yes", "wait", "after", "since", "language", "open"}

func commands(parent *cobra.Command) (all []*cobra.Command) {
	for _, sub := range parent.Commands() {
		all = append(append(all, sub), commands(sub)...)
	}
	return all
}

func TestHelpNamesEnvironmentVariables(t *testing.T) {
	for _, cmd := range commands(rootCommand(io.Discard, io.Discard)) {
		t.Run(cmd.CommandPath(), func(t *testing.T) { // not parallel: the commands share their parents' flags
			args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
			result := runProgram(t, nil, args...)
			require.Equal(t, exitOK, result.status, result.stderr)
			cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
				require.Contains(t, result.stdout, "--"+flag.Name)
				if !slices.Contains(callFlags, flag.Name) {
					require.Contains(t, result.stdout, "(env "+envName(flag.Name)+")")
				}
			})
		})
	}
}

func TestUnknownNamesGetSuggestions(t *testing.T) {
	for name, tc := range map[string]struct{ args, stderr string }{
		"a verb":                 {"srve", `tandem has no command "srve"; did you mean serve?`},
		"the beginning of verbs": {"de", `tandem has no command "de"; did you mean demo or deadletter?`},
		"a verb of a group":      {"deadletter lst", `tandem deadletter has no command "lst"; did you mean list?`},
		"a verb of help":         {"help webhook", `tandem has no command "webhook"; did you mean webhooks?`},
		"no near verb":           {"xyzzy", `tandem has no command "xyzzy"; see tandem --help`},
		"a flag":                 {"serve --lisen 127.0.0.1:0", `unknown flag --lisen; did you mean --listen?`},
		"the beginning of flags": {"serve --redis-d=disk", `unknown flag --redis-d; did you mean --redis or --redis-durability?`},
		"a flag with none near":  {"log status --xyzzy", `unknown flag --xyzzy; see tandem log status --help`},
		"a short flag":           {"serve -x", `unknown shorthand flag: 'x' in -x`},
		"an argument":            {"serve surplus", `tandem serve takes no arguments, but got "surplus"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, programResult{"", "tandem: " + tc.stderr + "\n", exitUsage}, runProgram(t, nil, strings.Fields(tc.args)...))
		})
	}
}

func TestNearest(t *testing.T) {
	names := []string{"replay", "redeliver", "list", "log"}
	for typed, want := range map[string][]string{
		"":           nil,
		"list":       {"list"},
		"lgo":        {"log"},
		"re":         {"replay", "redeliver"},
		"redelivery": {"redeliver"},
		"playback":   nil,
	} {
		t.Run(typed, func(t *testing.T) { require.Equal(t, want, nearest(typed, names)) })
	}
}

// TestPrecedence shows on the program which of several URLs it used.
func TestPrecedence(t *testing.T) {
	for name, tc := range map[string]struct {
		env        []string
		args, used string
	}{
		"flag over environment":    {[]string{"TANDEM_URL=http://127.0.0.1:2"}, "log status --url http://127.0.0.1:1", "http://127.0.0.1:1:"},
		"environment over default": {[]string{"TANDEM_URL=http://127.0.0.1:2"}, "log status", "http://127.0.0.1:2:"},
	} {
		t.Run(name, func(t *testing.T) {
			result := runProgram(t, tc.env, strings.Fields(tc.args)...)
			require.Equal(t, exitError, result.status)
			require.Contains(t, result.stderr, "cannot reach "+tc.used)
		})
	}
}

func TestTokenPrecedence(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	of := map[string]string{"TANDEM_OPERATOR_TOKEN": "0123456789 variable", "TANDEM_OPERATOR_TOKEN_FILE": file("env", "0123456789 file of the variable\n")}
	flag := file("flag", "0123456789 file of the flag\n")
	for name, tc := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"the flag's file first": {[]string{"TANDEM_OPERATOR_TOKEN", "TANDEM_OPERATOR_TOKEN_FILE"}, []string{"--operator-token-file", flag}, "0123456789 file of the flag"},
		"then the variable":     {[]string{"TANDEM_OPERATOR_TOKEN", "TANDEM_OPERATOR_TOKEN_FILE"}, nil, "0123456789 variable"},
		"then its file":         {[]string{"TANDEM_OPERATOR_TOKEN_FILE"}, nil, "0123456789 file of the variable"},
		"none":                  {nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			env := make(map[string]string)
			for _, variable := range tc.env {
				env[variable] = of[variable]
			}
			cfg, err := configured(t, env, tc.args...)
			require.NoError(t, err)
			require.Equal(t, tc.want, cfg.operatorToken)
		})
	}
}

func TestInvalidValuesAreListedTogether(t *testing.T) {
	for name, tc := range map[string]struct {
		env          []string
		args, stderr string
	}{
		"serve": {
			[]string{"TANDEM_KEY=short", "TANDEM_OPERATOR_TOKEN=short", "TANDEM_ADMIN_LISTEN=nowhere", "TANDEM_REDIS_REPLICAS=2.5"},
			"serve --listen nowhere --data= --public-url ftp://x --allow-private-webhooks 10.0.0.1",
			`tandem: TANDEM_REDIS_REPLICAS "2.5": want a whole number
--listen "nowhere": want host:port: address nowhere: missing port in address
TANDEM_ADMIN_LISTEN "nowhere": want host:port: address nowhere: missing port in address
--data is empty: name a directory
--allow-private-webhooks: "10.0.0.1" is not a network`,
		},
		"log status": {
			[]string{"TANDEM_OPERATOR_TOKEN=short", "TANDEM_URL=here"},
			"log status",
			`tandem: TANDEM_URL "here": want http:// or https://, a host, and at most a path
TANDEM_OPERATOR_TOKEN: the token has 5 bytes; at least 16 are required`,
		},
		"webhooks list": {
			[]string{"TANDEM_TOKEN_FILE=/nowhere/token"},
			"webhooks list --url here",
			`tandem: --url "here": want http:// or https://, a host, and at most a path
TANDEM_TOKEN_FILE: open /nowhere/token: no such file or directory`,
		},
		"log copy": {
			[]string{"TANDEM_FROM=sqlite:", "TANDEM_KEY=short"},
			"log copy --to http://h --redis-replicas none",
			`tandem: --redis-replicas "none": want a whole number
TANDEM_FROM sqlite:: the directory is missing`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result := runProgram(t, tc.env, strings.Fields(tc.args)...)
			require.Equal(t, exitUsage, result.status)
			require.Contains(t, result.stderr, tc.stderr)
			for _, variable := range []string{"TANDEM_KEY: ", "TANDEM_OPERATOR_TOKEN: "} {
				if name == "serve" {
					require.Contains(t, result.stderr, "\n"+variable)
				}
			}
		})
	}
}
