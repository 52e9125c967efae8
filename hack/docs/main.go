// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command docs runs the commands of README.md and docs/, in the order in which a
// reader meets them, on a real cluster, and compares what they print with what
// the documents show. CONTRIBUTING.md says how a block of commands is marked.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/countersign/countersign/hack/e2e/operator"
)

// clusterName is not the one that `make cluster` gives a reader, so that a cluster
// that somebody works with is left alone.
const clusterName = "docs"

func main() {
	only := flag.String("only", "", "run this document alone, after README.md: docs/operations.md")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := tryAll(ctx, *only); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func tryAll(ctx context.Context, only string) error {
	start := time.Now()
	root, err := operator.Root()
	if err != nil {
		return err
	}
	documents, err := read(root)
	if err != nil {
		return err
	}
	for _, d := range documents {
		if err := d.complain(); err != nil {
			return err
		}
	}
	if local.BestForm() != local.Real {
		fmt.Println("docs: NOT RUN, because containers want root on Linux; every block is marked")
		return nil
	}
	if only != "" {
		documents = slices.DeleteFunc(documents, func(d document) bool { return d.name != tour && d.name != only })
	}
	checkout, err := clone(ctx, root)
	if err != nil {
		return err
	}
	defer os.RemoveAll(checkout)
	if _, err := local.Down(ctx, clusterName, os.Stderr); err != nil {
		return err
	}
	var t tally
	for _, d := range documents {
		if err := t.document(ctx, d, checkout); err != nil {
			t.failed = append(t.failed, fmt.Errorf("%s:%w", d.name, err))
			fmt.Printf("FAILED  %s:%v\n", d.name, err)
		}
		if ctx.Err() != nil || len(t.failed) > 0 && d.name == tour {
			break // the others stand on its cluster
		}
	}
	if _, err := local.Down(context.WithoutCancel(ctx), clusterName, os.Stderr); err != nil {
		return err
	}
	if len(t.failed) > 0 {
		return fmt.Errorf("failed documents=%d of %d: %v", len(t.failed), len(documents), t.failed[0])
	}
	fmt.Printf("docs: ok blocks=%d run=%d not_run=%d commands=%d outputs=%d documents=%d seconds=%.0f\n",
		t.run+t.left, t.run, t.left, t.commands, t.outputs, len(documents), time.Since(start).Seconds())
	return nil
}

const (
	// tour is the document that begins, because it starts the cluster.
	tour = "README.md"
	// last is the one that ends with everything uninstalled.
	last = "docs/install.md"
)

// read gives all documents in the order in which they are run.
func read(root string) ([]document, error) {
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var documents []document
	for _, file := range append([]string{filepath.Join(root, tour)}, names...) {
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return nil, err
		}
		d, err := parse(filepath.ToSlash(name), source)
		if err != nil {
			return nil, err
		}
		documents = append(documents, d)
	}
	slices.SortStableFunc(documents, func(a, b document) int { return order(a.name) - order(b.name) })
	return documents, nil
}

func order(name string) int {
	switch name {
	case tour:
		return 0
	case last:
		return 2
	default:
		return 1
	}
}
