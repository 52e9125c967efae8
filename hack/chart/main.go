// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command chart makes the Helm chart from config/, which is the one source of
// what an install is made of, and packages it. It is a module of its own, because
// nothing else here needs Helm.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
)

// root is the top of the checkout, from the directory of this module.
const root = "../.."

// directory is where the chart is, from the top of a checkout.
const directory = "charts/countersign"

func main() {
	dist := flag.String("package", "", "directory to package the chart into, instead of generating it")
	into := flag.String("into", root, "top of the tree that what is generated is written to")
	flag.Parse()
	var err error
	if *dist != "" {
		err = pack(filepath.Join(root, directory), *dist)
	} else {
		err = writeAll(*into)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func writeAll(into string) error {
	files, err := generate(root)
	if err != nil {
		return err
	}
	// What is left of a file of config/ that is gone would still be installed.
	former, err := filepath.Glob(filepath.Join(into, directory, "templates", "config-*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range former {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	for name, text := range files {
		file := filepath.Join(into, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func pack(directory, dist string) error {
	chart, err := loader.Load(directory)
	if err != nil {
		return err
	}
	// The same chart gives the same bytes. Helm takes the zero time for now.
	chart.StampModTimes(time.Unix(0, 0))
	file, err := chartutil.Save(chart, dist)
	if err != nil {
		return err
	}
	fmt.Println("the chart is in", file)
	return nil
}
