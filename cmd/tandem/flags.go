package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// lookupEnv returns the value of an environment variable, like os.LookupEnv.
type lookupEnv func(name string) (value string, ok bool)

// settings are flags that environment variables can set too. A flag takes precedence over its
// environment variable, and that over the default.
type settings struct {
	flags  *pflag.FlagSet
	values map[string]*settingValue // by flag name
}

// bindSettings makes settings of the flags bound so far: it names their environment variables in
// the help, and lets load report the invalid values together.
func bindSettings(flags *pflag.FlagSet) *settings {
	bound := &settings{flags: flags, values: make(map[string]*settingValue)}
	flags.VisitAll(func(flag *pflag.Flag) {
		flag.Usage += " (env " + envName(flag.Name) + ")"
		value := &settingValue{Value: flag.Value, source: "--" + flag.Name}
		bound.values[flag.Name], flag.Value = value, value
	})
	return bound
}

// envName returns the environment variable of a flag: --public-url is TANDEM_PUBLIC_URL.
func envName(flag string) string {
	return "TANDEM_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// load reads the environment and returns an error for each value that its flag cannot take.
func (s *settings) load(env lookupEnv) (errs []error) {
	s.flags.VisitAll(func(flag *pflag.Flag) {
		value := s.values[flag.Name]
		if value == nil {
			return
		}
		if text, ok := env(envName(flag.Name)); ok && !flag.Changed {
			value.source = envName(flag.Name)
			_ = value.Set(text) // it reports a bad value below
		}
		if value.err != nil {
			errs = append(errs, value.err)
		}
	})
	return errs
}

// source returns the flag or environment variable that set the value of a flag, for error messages.
func (s *settings) source(flag string) string { return s.values[flag].source }

// invalid returns the error for the value of a flag.
func (s *settings) invalid(flag, value string, err error) error {
	return fmt.Errorf("%s %q: %w", s.source(flag), value, err)
}

// token returns the token that an environment variable has, or the file that a flag names, and which
// of them it came from. It is empty if neither is set.
func (s *settings) token(variable, fileFlag string, env lookupEnv) (token, source string, err error) {
	flag := s.flags.Lookup(fileFlag)
	path := flag.Value.String()
	if text, _ := env(variable); text != "" && (!flag.Changed || path == "") {
		return text, variable, nil
	}
	source = s.source(fileFlag)
	if path == "" {
		return "", source, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", source, fmt.Errorf("%s: %w", source, err)
	}
	if token = strings.TrimSpace(string(text)); token == "" {
		err = s.invalid(fileFlag, path, errors.New("the file is empty"))
	}
	return token, source, err
}

// settingValue remembers a bad value instead of returning an error, because flag parsing ends at the
// first error.
type settingValue struct {
	pflag.Value
	source string // the flag or environment variable that set the value
	err    error
}

func (v *settingValue) Set(text string) error {
	if v.err = v.Value.Set(text); v.err != nil {
		v.err = fmt.Errorf("%s %q: want %s", v.source, text, wantedValue[v.Type()])
	}
	return nil
}

// wantedValue describes the values of a flag by its type. Strings take any value.
var wantedValue = map[string]string{"int": "a whole number"}

// flagError turns an error of flag parsing into a usage error. An unknown flag gets suggestions.
func flagError(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || unknown.GetSpecifiedShortnames() != "" {
		return &usageError{err}
	}
	var names []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	typed := unknown.GetSpecifiedName()
	return &usageError{fmt.Errorf("unknown flag --%s%s", typed, suggestion("--", typed, names, cmd))}
}

// unknownCommand returns the usage error for an argument that names no command, with suggestions.
func unknownCommand(cmd *cobra.Command, typed string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return &usageError{fmt.Errorf("%s has no command %q%s", cmd.CommandPath(), typed, suggestion("", typed, names, cmd))}
}

// suggestion ends an error about an unknown name: with the nearest names, or how to list all.
func suggestion(prefix, typed string, names []string, cmd *cobra.Command) string {
	near := nearest(typed, names)
	if len(near) == 0 {
		return "; see " + cmd.CommandPath() + " --help"
	}
	return "; did you mean " + prefix + strings.Join(near, " or "+prefix) + "?"
}

// nearest returns the names that start with what was typed, or differ from it by one edit (by two, if
// more than four letters were typed). The nearest come first.
func nearest(typed string, names []string) []string {
	limit := 1
	if len(typed) > 4 {
		limit = 2
	}
	distances := make(map[string]int)
	var near []string
	for _, name := range names {
		distance := editDistance(typed, name)
		if distance <= limit || typed != "" && strings.HasPrefix(name, typed) {
			distances[name] = distance
			near = append(near, name)
		}
	}
	slices.SortStableFunc(near, func(left, right string) int { return cmp.Compare(distances[left], distances[right]) })
	return near
}

// editDistance returns how many insertions, deletions, substitutions and swaps of neighbours turn one
// text into another, in bytes (the optimal string alignment distance).
func editDistance(from, to string) int {
	rows := make([][]int, len(from)+1) // rows[i][j]: from[:i] to to[:j]
	for i := range rows {
		rows[i] = make([]int, len(to)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(from); i++ {
		for j := 1; j <= len(to); j++ {
			substitution := rows[i-1][j-1]
			if from[i-1] != to[j-1] {
				substitution++
			}
			rows[i][j] = min(substitution, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(from)][len(to)]
}
