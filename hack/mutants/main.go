// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command mutants takes guards out of the code, one at a time, and tells whether
// a test notices. A test that cannot fail proves nothing.
//
//	go run ./hack/mutants              the gate and the admission policies
//	go run ./hack/mutants -set sim     what the simulation holds
//
// The work tree is not touched: the compiler is shown the changed files in place
// of the real ones. A guard whose text is not found exactly once is an error.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// tally counts the guards that were taken out, and those that a test missed.
type tally struct{ tried, killed int }

// options are those of the command line.
type options struct {
	only     string
	baseline bool
	verbose  bool
	began    time.Time
}

// sets of guards, by name.
var sets = map[string]func(options) (tally, error){
	"sim":    func(o options) (tally, error) { return run(simGuards(), o), nil },
	"gate":   func(o options) (tally, error) { return run(gateGuards(), o), nil },
	"policy": expressions,
}

func main() {
	set := flag.String("set", "gate,policy", "which guards: gate, policy, sim")
	var o options
	flag.StringVar(&o.only, "only", "", "only guards with this in their name")
	flag.BoolVar(&o.baseline, "baseline", true, "run the tests with every guard in its place first")
	flag.BoolVar(&o.verbose, "v", false, "show the output of the tests that notice nothing")
	flag.Parse()
	o.began = time.Now()
	var sum tally
	for name := range strings.SplitSeq(*set, ",") {
		try, known := sets[name]
		if !known {
			fmt.Fprintf(os.Stderr, "there is no set %q\n", name)
			os.Exit(2)
		}
		got, err := try(o)
		if err != nil {
			fmt.Fprintf(os.Stderr, "set %s: %v\n", name, err)
			os.Exit(1)
		}
		sum.tried += got.tried
		sum.killed += got.killed
	}
	fmt.Printf("mutants=%d killed=%d survived=%d\n", sum.tried, sum.killed, sum.tried-sum.killed)
	if sum.killed < sum.tried || sum.tried == 0 {
		os.Exit(1)
	}
}

// tell prints what became of a guard that was taken out.
func (o options) tell(name, invariant, verdict string) {
	fmt.Printf("%4ds %-34s %-9s %s\n", int(time.Since(o.began).Seconds()), name, invariant, verdict)
}
