// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"strings"
)

// varies is what differs from one run to the next, and what stands for it.
var varies = []struct {
	is     *regexp.Regexp
	stands string
}{
	{regexp.MustCompile(`\b(sha256:)?[0-9a-f]{4,64}(…|\.\.\.)|\bsha256:[0-9a-f]{4,64}\b`), "DIGEST"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`(-(?:blue|green))-[0-9a-f]{6,10}-[a-z0-9]{5}\b`), "$1-POD"},
	{regexp.MustCompile(`-[0-9a-f]{32}\b`), "-HASH"},
	{regexp.MustCompile(`(?m)[ \t]\d+[smhd](\d+[smh])?[ \t]*$`), " AGE"},
	{regexp.MustCompile(`\s+`), " "},
}

func steady(s string) string {
	for _, v := range varies {
		s = v.is.ReplaceAllString(s, v.stands)
	}
	return strings.TrimSpace(s)
}

// left is what a document leaves out of what it shows.
var left = regexp.MustCompile(`…|\.\.\.`)

// fits says whether what a document shows is what was printed: all of it, or its
// end. Line breaks and the width of columns do not matter.
func fits(shown, printed string, whole bool) bool {
	parts := left.Split(steady(shown), -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	begin := `(?:^|.* )`
	if whole {
		begin = "^"
	}
	return regexp.MustCompile(`(?s)` + begin + strings.Join(parts, ".*?") + "$").MatchString(steady(printed))
}
