// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command reference writes pages of docs/ that say what there is, from what there is.
//
//	go run ./hack/reference -metrics docs/metrics.md -events docs/events.md
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	metrics := flag.String("metrics", "", "file to write the page of the metrics to")
	events := flag.String("events", "", "file to write the page of the events to")
	flag.Parse()
	if err := errors.Join(write(*metrics, metricsPage), write(*events, eventsPage)); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func write(file string, page func(io.Writer) error) error {
	if file == "" {
		return nil
	}
	var text bytes.Buffer
	if err := page(&text); err != nil {
		return err
	}
	return os.WriteFile(file, text.Bytes(), 0o644)
}
