// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rows

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Command judges a table by the tests that name its rows.
type Command struct {
	Naming
	// Document writes the table, with the files whose tests name each row.
	Document func(w io.Writer, files map[int][]string) error
	// Report prints a line for each row and tells whether all of them are closed.
	Report func(w io.Writer, found Evidence) (closed bool, err error)
}

// Main runs the tests, tells on stderr how far they are, and reports. With -docs it writes the table and runs
// nothing; with -read it judges an earlier output of go test -json.
func (c Command) Main() {
	docs := flag.String("docs", "", "write the table to this file and run nothing")
	results := flag.String("read", "", "judge this output of go test -json, and run nothing")
	flag.Parse()
	closed, err := c.run(*docs, *results)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !closed {
		os.Exit(1)
	}
}

func (c Command) run(docs, results string) (closed bool, err error) {
	files, err := c.Sources(".")
	if err != nil {
		return false, err
	}
	if docs != "" {
		var text bytes.Buffer
		if err := c.Document(&text, files); err != nil {
			return false, err
		}
		return true, os.WriteFile(docs, text.Bytes(), 0o644)
	}
	found, err := c.try(results, files)
	if err != nil {
		return false, err
	}
	return c.Report(os.Stdout, found)
}

// try runs the tests that name rows, or reads what an earlier run has said.
func (c Command) try(results string, files map[int][]string) (Evidence, error) {
	if results != "" {
		raw, err := os.ReadFile(results)
		if err != nil {
			return Evidence{}, err
		}
		return c.Read(bytes.NewReader(raw), os.Stderr)
	}
	args := append([]string{"test", "-json", "-count=1", "-timeout=30m"}, packages(files)...)
	command := exec.Command("go", args...)
	command.Stderr = os.Stderr
	reader, err := command.StdoutPipe()
	if err != nil {
		return Evidence{}, err
	}
	if err := command.Start(); err != nil {
		return Evidence{}, fmt.Errorf("run the tests: %w", err)
	}
	found, readErr := c.follow(reader, os.Stderr, progress{os.Stderr, time.Now()}.about)
	if readErr != nil {
		_, _ = io.Copy(io.Discard, reader) // or go test would never end
	}
	// A failing test is in what was read.
	var exit *exec.ExitError
	if err := command.Wait(); err != nil && !errors.As(err, &exit) {
		return found, fmt.Errorf("run the tests: %w", err)
	}
	return found, readErr
}
