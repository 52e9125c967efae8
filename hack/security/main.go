// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command security runs the tests that try to get round the gate, and says for
// each attack whether it failed.
//
//	go run ./hack/security                          # run them
//	go run ./hack/security -read results.json       # judge an earlier go test -json
//	go run ./hack/security -docs docs/security.md   # write the table
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

func main() {
	docs := flag.String("docs", "", "write the table to this file and run nothing")
	results := flag.String("read", "", "judge this output of go test -json, and run nothing")
	flag.Parse()
	closed, err := run(*docs, *results)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !closed {
		os.Exit(1)
	}
}

func run(docs, results string) (closed bool, err error) {
	files, err := sources(".")
	if err != nil {
		return false, err
	}
	rows := table()
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.number, b.number) })
	if docs != "" {
		var text bytes.Buffer
		if err := document(&text, rows, files); err != nil {
			return false, err
		}
		return true, os.WriteFile(docs, text.Bytes(), 0o644)
	}
	found, err := try(results, files)
	if err != nil {
		return false, err
	}
	return report(os.Stdout, rows, found)
}

// try runs the tests that name attacks, or reads what an earlier run has said.
func try(results string, files map[int][]string) (evidence, error) {
	if results != "" {
		raw, err := os.ReadFile(results)
		if err != nil {
			return evidence{}, err
		}
		return read(bytes.NewReader(raw), os.Stderr)
	}
	args := append([]string{"test", "-json", "-count=1", "-timeout=30m"}, packages(files)...)
	command := exec.Command("go", args...)
	command.Stderr = os.Stderr
	reader, err := command.StdoutPipe()
	if err != nil {
		return evidence{}, err
	}
	if err := command.Start(); err != nil {
		return evidence{}, fmt.Errorf("run the tests: %w", err)
	}
	found, readErr := read(reader, os.Stderr)
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
