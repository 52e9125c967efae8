// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command gitops keeps a Release in sync by the code of real GitOps engines, through
// all phases of its life, on a real API server with the operator beside it, and prints
// a line for each engine and phase.
//
//	go run ./hack/gitops          # build the engines and run TestEngines
//	go run ./hack/gitops -write   # make the files of config/gitops that are generated
//
// The engines are programs of modules of their own, argocd and flux, because each
// brings Kubernetes libraries that nothing else here needs, Argo CD those of another
// version.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// reportMark begins what TestEngines has to report.
const reportMark = "report: "

func main() {
	write := flag.Bool("write", false, "make the generated files of config/gitops, and run nothing")
	flag.Parse()
	do := run
	if *write {
		do = writeConfigMap
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "gitops:", err)
		os.Exit(1)
	}
}

func run() error {
	programs, err := os.MkdirTemp("", "countersign-engines-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(programs)
	// Both take long the first time, and tests have a time limit.
	if err := command("go", "run", "./hack/cluster", "build").Run(); err != nil {
		return fmt.Errorf("build the cluster's programs: %w", err)
	}
	for _, engine := range []string{"argocd", "flux"} {
		fmt.Fprintf(os.Stderr, "building engine %s, which takes minutes the first time\n", engine)
		if err := command("go", "-C", "hack/gitops/"+engine, "build", "-o", filepath.Join(programs, engine), ".").Run(); err != nil {
			return fmt.Errorf("build engine %s: %w", engine, err)
		}
	}
	test := command("go", "test", "-count=1", "-v", "-parallel=4", "-timeout=20m", "-run=^TestEngines$", "./hack/e2e/apiserver/")
	test.Env = append(os.Environ(), "COUNTERSIGN_ENGINES="+programs)
	test.Stdout = nil
	out, err := test.StdoutPipe()
	if err != nil {
		return err
	}
	if err := test.Start(); err != nil {
		return fmt.Errorf("start the test: %w", err)
	}
	log := report(out, os.Stdout)
	if err := test.Wait(); err != nil {
		fmt.Fprint(os.Stderr, log)
		return fmt.Errorf("TestEngines: %w", err)
	}
	return nil
}

// command is one whose output is for whoever waits.
func command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	return c
}

// report shows the lines that are marked, and returns the others.
func report(in io.Reader, out io.Writer) (rest string) {
	var others strings.Builder
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		// What a test prints may follow what go test prints in the same line.
		if _, line, marked := strings.Cut(lines.Text(), reportMark); marked {
			fmt.Fprintln(out, line)
		} else {
			fmt.Fprintln(&others, lines.Text())
		}
	}
	return others.String()
}
