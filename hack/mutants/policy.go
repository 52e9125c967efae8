// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// needed is the test that takes each expression of the admission policies out, on
// a real API server, and wants something that was refused to pass then.
const needed = "TestEveryExpressionIsNeeded"

// doubled is what it logs of an expression that others double: of these it wants
// that nothing passes. They are no guards and are not counted.
const doubled = "others refuse the same"

// event is a line of go test -json.
type event struct{ Action, Test, Output string }

// expressions runs that test. Every expression is one guard.
func expressions(o options) (tally, error) {
	args := []string{"test", "-json", "-count=1", "-timeout=40m", "./hack/e2e/apiserver", "-run", "^" + needed + "$"}
	command := exec.Command("go", args...)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		return tally{}, err
	}
	if err := command.Start(); err != nil {
		return tally{}, err
	}
	var said bytes.Buffer
	sum, twice := o.count(io.TeeReader(stdout, &said))
	_, _ = io.Copy(&said, stdout) // or go test would never end
	var exit *exec.ExitError
	if err := command.Wait(); err != nil && !errors.As(err, &exit) {
		return tally{}, err
	}
	if sum.tried == 0 {
		return tally{}, fmt.Errorf("go %s took no expression out:\n%s", strings.Join(args, " "), said.String())
	}
	fmt.Printf("%d expressions are doubled by others, for the message, and are not counted\n", twice)
	return sum, nil
}

// count tells of every expression as soon as its result is there, of which the test's third level is one.
func (o options) count(out io.Reader) (sum tally, twice int) {
	double := map[string]bool{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || strings.Count(e.Test, "/") != 2 {
			continue
		}
		name := strings.ReplaceAll(e.Test[strings.LastIndex(e.Test, "/")+1:], "_", " ")
		switch {
		case e.Action == "output" && strings.Contains(e.Output, doubled):
			double[e.Test] = true
		case e.Action == "pass" && double[e.Test]:
			twice++
			o.tell(name, "policy", "doubled")
		case e.Action == "pass":
			sum.tried, sum.killed = sum.tried+1, sum.killed+1
			o.tell(name, "policy", "killed: the request passes")
		case e.Action == "fail":
			sum.tried++
			o.tell(name, "policy", "SURVIVED")
		}
	}
	return sum, twice
}
