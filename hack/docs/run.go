// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

const (
	// lookDeadline is how long a command that only looks is repeated until it
	// shows what the document shows, as a reader would look again.
	lookDeadline = 90 * time.Second
	lookEvery    = 300 * time.Millisecond
)

// looks are commands that change nothing, so that they can be repeated.
var looks = regexp.MustCompile(`^kubectl( --context \S+)? (get|describe|events|logs|auth|countersign (status|explain|diff|history|policies|doctor))\b`)

// denial is how an API server says no.
var denial = regexp.MustCompile(`denied the request|denied request|Forbidden|forbidden|is invalid|refuses`)

// tally counts what was run.
type tally struct {
	run, left, commands, outputs int
	failed                       []error
}

// step is a command and what it has to print, if the document shows that.
type step struct {
	line    int
	command string
	shown   *string
	whole   bool // what is shown is all that it prints, not the end of it
	refused bool
}

// document runs what is marked, in one shell, until something is not as it is
// written.
func (t *tally) document(ctx context.Context, d document, dir string) error {
	start := time.Now()
	var sh *shell
	defer func() {
		if sh != nil {
			sh.close()
		}
	}()
	for i, p := range d.parts {
		switch p.mark.kind {
		case notRun:
			t.left++
			continue
		case output:
			continue // with the block that it belongs to
		case within:
			took := time.Since(start)
			fmt.Printf("%s: %s after %.1f s\n", d.name, p.mark.what, took.Seconds())
			if took > p.mark.limit {
				return fmt.Errorf("%d: %s took %.1f s, more than %s", p.line, p.mark.what, took.Seconds(), p.mark.limit)
			}
			continue
		}
		if sh == nil {
			var err error
			if sh, err = newShell(ctx, dir); err != nil {
				return err
			}
		}
		var after *string
		if i+1 < len(d.parts) && d.parts[i+1].mark.kind == output {
			after = &d.parts[i+1].text
		}
		steps, err := stepsOf(p, after)
		if err != nil {
			return err
		}
		printed := ""
		for _, s := range steps {
			begin := time.Now()
			out, err := t.step(ctx, sh, s, printed)
			first, _, _ := strings.Cut(s.command, "\n")
			fmt.Printf("%-7s %6.1f s  %s:%d  %s\n", result(err, s), time.Since(begin).Seconds(), d.name, s.line, first)
			if err != nil {
				return err
			}
			t.commands++
			printed += out
		}
		if p.mark.kind != prepare {
			t.run++
		}
	}
	return nil
}

func result(err error, s step) string {
	switch {
	case err != nil:
		return "FAILED"
	case s.refused:
		return "refused"
	default:
		return "ok"
	}
}

// stepsOf gives the commands of a block. One that has a prompt shows what each
// prints below it; else what follows the block is what it prints at its end.
func stepsOf(p part, after *string) ([]step, error) {
	read := split
	if strings.HasPrefix(p.text, prompt) {
		read = session
	}
	steps, err := read(p.text, p.line+1)
	if last := len(steps) - 1; last >= 0 && after != nil {
		steps[last].shown = after
	}
	values := strings.NewReplacer(p.mark.with...)
	for i := range steps {
		steps[i].command = values.Replace(steps[i].command)
		steps[i].refused = p.mark.kind == refused
	}
	return steps, err
}

const prompt = "$ "

func session(text string, line int) ([]step, error) {
	var steps []step
	for at, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if command, ok := strings.CutPrefix(l, prompt); ok {
			if _, err := split(command, line+at); err != nil {
				return nil, err
			}
			shown := ""
			steps = append(steps, step{line: line + at, command: command, shown: &shown, whole: true})
			continue
		}
		if len(steps) == 0 {
			return nil, fmt.Errorf("%d: output before a command", line+at)
		}
		*steps[len(steps)-1].shown += l + "\n"
	}
	return steps, nil
}

// step runs one command. printed is what those before it in its block have printed.
func (t *tally) step(ctx context.Context, sh *shell, s step, printed string) (string, error) {
	deadline := time.Now().Add(lookDeadline)
	for {
		out, code, err := sh.run(ctx, s.command)
		if err != nil {
			return out, fmt.Errorf("%d: %s: %w\n%s", s.line, s.command, err, out)
		}
		err = s.judge(out, code, printed)
		if err == nil {
			if s.shown != nil {
				t.outputs++
			}
			return out, nil
		}
		if s.shown == nil || !looks.MatchString(s.command) || time.Now().After(deadline) {
			return out, fmt.Errorf("%d: %w", s.line, err)
		}
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-time.After(lookEvery):
		}
	}
}

func (s step) judge(out string, code int, printed string) error {
	switch {
	case s.refused && code == 0:
		return fmt.Errorf("%s\nwas not refused; it printed:\n%s", s.command, out)
	case s.refused && !denial.MatchString(out):
		return fmt.Errorf("%s\nfailed otherwise than by being refused:\n%s", s.command, out)
	case !s.refused && code != 0:
		return fmt.Errorf("%s\nended with %d; it printed:\n%s", s.command, code, out)
	}
	if s.shown == nil {
		return nil
	}
	shown, printed := *s.shown, printed+out
	if s.whole {
		printed = out
	}
	if !fits(shown, printed, s.whole) {
		return errors.New(s.command + "\nprinted:\n" + printed + "and the document shows:\n" + shown)
	}
	return nil
}
