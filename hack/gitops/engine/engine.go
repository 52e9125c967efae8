// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package engine is how a GitOps engine, which is a program of a module of its own,
// is asked to do something and answers: a line of JSON each, on stdin and stdout.
package engine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Request is one thing to do.
type Request struct {
	// Do is one of the constants below.
	Do string `json:"do"`
	// Mode is how the engine applies; each engine knows its own.
	Mode string `json:"mode"`
	// Git is what is in Git.
	Git []json.RawMessage `json:"git,omitempty"`
	// Live is the object to judge or to act upon.
	Live json.RawMessage `json:"live,omitempty"`
	// Action is what to run.
	Action string `json:"action,omitempty"`
}

// What an engine can be asked to do.
const (
	// Sync brings the cluster to what is in Git and compares it afterwards.
	Sync = "sync"
	// Compare compares, and writes nothing.
	Compare = "compare"
	// Prune deletes what is in Request.Git, as if it were not in Git any more.
	Prune = "prune"
	// Judge says how Request.Live is.
	Judge = "judge"
	// Act runs an action on Request.Live.
	Act = "act"
)

// Answer is what came of a request.
type Answer struct {
	// Error is why it could not be done; empty if it was.
	Error string `json:"error,omitempty"`
	// Diffs are what is not as in Git, or would be written again.
	Diffs []string `json:"diffs,omitempty"`
	// Verdicts are how the object is, by the name of who says so, as Argo CD's health.
	Verdicts map[string]string `json:"verdicts,omitempty"`
	// Message is what is said with it.
	Message string `json:"message,omitempty"`
	// Actions are those that can be run.
	Actions []string `json:"actions,omitempty"`
}

// Serve answers requests until there are no more. What libraries print does not get
// between the answers: while it runs, os.Stdout is stderr.
func Serve(handle func(Request) (Answer, error)) error {
	out := json.NewEncoder(os.Stdout)
	os.Stdout = os.Stderr
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	for {
		var request Request
		switch err := in.Decode(&request); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read a request: %w", err)
		}
		answer, err := handle(request)
		if err != nil {
			answer.Error = err.Error()
		}
		if err := out.Encode(answer); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}
