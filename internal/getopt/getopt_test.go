package getopt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gorewind/gorewind/internal/getopt"
)

// Some of pg_rewind's options, in its order.
var options = []getopt.Option{
	{Name: "help", Short: '?'},
	{Name: "target-pgdata", Short: 'D', Arg: true},
	{Name: "source-pgdata", Arg: true},
	{Name: "source-server", Arg: true},
	{Name: "dry-run", Short: 'n'},
	{Name: "progress", Short: 'P'},
	{Name: "debug"},
	{Name: "sync", Arg: true},
	{Name: "sync-method", Arg: true},
}

// read writes down what a parser says: options, errors in brackets, operands
// after a bar.
func read(posix bool, args ...string) string {
	var said []string
	p := getopt.New(args, options, posix)
	for {
		i, value, ok, err := p.Next()
		switch {
		case !ok:
			return strings.TrimSpace(strings.Join(append(append(said, "|"), p.Operands()...), " "))
		case err != nil:
			said = append(said, "["+err.Error()+"]")
		case options[i].Arg:
			said = append(said, options[i].Name+"="+value)
		default:
			said = append(said, options[i].Name)
		}
	}
}

// What is expected here, pg_rewind of 18 on Debian was seen to say or do.
func TestCommandLinesAreReadAsGNUDoes(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"nothing", "", "|"},
		{"long with equals sign", "--target-pgdata=/t", "target-pgdata=/t |"},
		{"long with the next argument", "--target-pgdata /t", "target-pgdata=/t |"},
		{"an argument may look like an option", "--target-pgdata --debug -D -n", "target-pgdata=--debug target-pgdata=-n |"},
		{"an argument may contain an equals sign", "--source-server=host=a", "source-server=host=a |"},
		{"an argument may be empty", "--source-server= -n", "source-server= dry-run |"},
		{"short with the next argument", "-D /t", "target-pgdata=/t |"},
		{"short with its argument joined", "-D/t -D=t", "target-pgdata=/t target-pgdata==t |"},
		{"bundled", "-nP", "dry-run progress |"},
		{"bundled with an argument at the end", "-nPD/t", "dry-run progress target-pgdata=/t |"},
		{"bundled with an argument that follows", "-nPD /t", "dry-run progress target-pgdata=/t |"},
		{"cut short", "--dry --p --target /t", "dry-run progress target-pgdata=/t |"},
		{"an exact match that is also a prefix", "--sync=x --sync-=y", "sync=x sync-method=y |"},
		{"operands between options", "a -n b --debug c", "dry-run debug | a b c"},
		{"two dashes end the options", "a -n -- -P b", "dry-run | a -P b"},
		{"two dashes again are an operand", "-- --", "| --"},
		{"a single dash is an operand", "- -n", "dry-run | -"},

		{"unknown long", "--frobnicate=1", "[unrecognized option '--frobnicate=1'] |"},
		{"unknown short", "-h", "[invalid option -- 'h'] |"},
		{"unknown in a bundle", "-nxP", "dry-run [invalid option -- 'x'] progress |"},
		{"ambiguous", "--s=1", "[option '--s=1' is ambiguous; possibilities: '--source-pgdata' '--source-server' '--sync' '--sync-method'] |"},
		{"argument not allowed", "--progress=1", "[option '--progress' doesn't allow an argument] |"},
		{"empty argument not allowed either", "--deb=", "[option '--debug' doesn't allow an argument] |"},
		{"long without its argument", "--source-p", "[option '--source-pgdata' requires an argument] |"},
		{"short without its argument", "-nD", "dry-run [option requires an argument -- 'D'] |"},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, read(false, strings.Fields(c.line)...))
		})
	}
}

func TestOptionsEndAtTheFirstOperandForPOSIX(t *testing.T) {
	assert.Equal(t, "dry-run | a -P", read(true, "-n", "a", "-P"))
	assert.Equal(t, "dry-run | a -P", read(true, "-n", "--", "a", "-P"))
	assert.Equal(t, "target-pgdata=a progress |", read(true, "-D", "a", "-P"))
	assert.Equal(t, "|  a", read(true, "", "a"), "an empty argument is an operand")
}

// No argument is lost or made up, whatever they are.
func FuzzParser(f *testing.F) {
	for _, line := range []string{"-nPD/t x", "--dry --target=/t -- -P", "--s", "-\x00", "--=x", "-\xff"} {
		f.Add(line, false)
	}
	f.Fuzz(func(t *testing.T, line string, posix bool) {
		args := strings.Split(line, " ")
		p := getopt.New(args, options, posix)
		steps := 0
		for {
			i, value, ok, err := p.Next()
			if !ok {
				break
			}
			steps++
			if err == nil && value != "" {
				assert.True(t, options[i].Arg)
				assert.Contains(t, line, value)
			}
		}
		assert.LessOrEqual(t, steps, len(line))
		for _, operand := range p.Operands() {
			assert.Contains(t, args, operand)
		}
	})
}

func ExampleParser() {
	options := []getopt.Option{{Name: "dry-run", Short: 'n'}, {Name: "target-pgdata", Short: 'D', Arg: true}}
	p := getopt.New([]string{"--dry", "extra", "-D", "/data"}, options, false)
	for {
		i, value, ok, err := p.Next()
		if !ok {
			break
		}
		fmt.Println(options[i].Name, value, err)
	}
	fmt.Println(p.Operands())
	// Output:
	// dry-run  <nil>
	// target-pgdata /data <nil>
	// [extra]
}

func TestAnAbbreviationMeansTheOlderOption(t *testing.T) {
	options := []getopt.Option{{Name: "progress"}, {Name: "plan", Later: true}, {Name: "save-plan", Later: true}, {Name: "save-lost", Later: true}}
	for line, want := range map[string]string{"--p": "progress", "--pl": "plan", "--plan": "plan", "--save-p": "save-plan"} {
		i, _, _, err := getopt.New([]string{line}, options, false).Next()
		assert.NoError(t, err, line)
		assert.Equal(t, want, options[i].Name, line)
	}
	_, _, _, err := getopt.New([]string{"--save"}, options, false).Next()
	assert.EqualError(t, err, "option '--save' is ambiguous; possibilities: '--save-plan' '--save-lost'")
}
