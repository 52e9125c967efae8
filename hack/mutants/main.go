// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command mutants takes guards out of the code, one at a time, and tells whether
// a test notices. A test that cannot fail proves nothing.
//
//	go run ./hack/mutants -set sim
//
// The work tree is not touched: the compiler is shown the changed files in place
// of the real ones. A guard whose text is not found exactly once is an error.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	sets := map[string]func() []guard{"sim": simGuards}
	set := flag.String("set", "sim", "which guards: "+strings.Join(slices.Sorted(maps.Keys(sets)), ", "))
	only := flag.String("only", "", "only guards with this in their name")
	first := flag.Bool("baseline", true, "run the tests with every guard in its place first")
	verbose := flag.Bool("v", false, "show the output of the tests that notice nothing")
	flag.Parse()
	guards, known := sets[*set]
	if !known {
		fmt.Fprintf(os.Stderr, "there is no set %q\n", *set)
		os.Exit(2)
	}
	if *first {
		if err := baseline(guards()); err != nil {
			fmt.Printf("with every guard in its place: %v\n", err)
			os.Exit(1)
		}
	}
	if !run(guards(), *only, *verbose) {
		os.Exit(1)
	}
}

// baseline runs each test once with every guard in its place. A test that fails
// anyway notices nothing.
func baseline(guards []guard) error {
	done := map[string]bool{}
	for _, g := range guards {
		if key := strings.Join(g.test, " "); !done[key] {
			done[key] = true
			if out, err := exec.Command("go", append([]string{"test", "-count=1"}, g.test...)...).CombinedOutput(); err != nil {
				return fmt.Errorf("go test %s: %w\n%s", key, err, out)
			}
		}
	}
	return nil
}

// run tries all guards, and tells whether each is held by a test.
func run(guards []guard, only string, verbose bool) bool {
	tried, killed := 0, 0
	for _, g := range guards {
		if !strings.Contains(g.name, only) {
			continue
		}
		tried++
		by, output, err := g.try()
		switch {
		case err != nil:
			fmt.Printf("%-28s %-9s BROKEN: %v\n", g.name, g.invariant, err)
		case by == "":
			fmt.Printf("%-28s %-9s SURVIVED\n", g.name, g.invariant)
			if verbose {
				fmt.Println(output)
			}
		default:
			killed++
			fmt.Printf("%-28s %-9s killed: %s\n", g.name, g.invariant, by)
		}
	}
	fmt.Printf("mutants=%d killed=%d survived=%d\n", tried, killed, tried-killed)
	return tried == killed && tried > 0
}
