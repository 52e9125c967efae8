// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Style is how text is written.
type Style struct {
	// Colour sets what matters off by colour.
	Colour bool
	// Wide writes digests in full.
	Wide bool
}

// tone says what a piece of text means to the reader.
type tone int

const (
	plain tone = iota
	strong
	good
	bad
	doubtful
)

var escapes = map[tone]string{strong: "\x1b[1m", good: "\x1b[32m", bad: "\x1b[31m", doubtful: "\x1b[33m"}

const reset = "\x1b[0m"

// cell is a piece of text in a table.
type cell struct {
	text string
	tone tone
}

func text(format string, args ...any) cell { return cell{text: fmt.Sprintf(format, args...)} }

// page is text in the making.
type page struct {
	Style
	text strings.Builder
}

func (p *page) paint(c cell) string {
	s := printable(c.text)
	if escape := escapes[c.tone]; p.Colour && escape != "" && s != "" {
		return escape + s + reset
	}
	return s
}

func (p *page) line(cells ...cell) {
	for i, c := range cells {
		if i > 0 {
			p.text.WriteByte(' ')
		}
		p.text.WriteString(p.paint(c))
	}
	p.text.WriteByte('\n')
}

// section begins a part of the page.
func (p *page) section(title string) {
	if p.text.Len() > 0 {
		p.text.WriteByte('\n')
	}
	p.line(cell{title, strong})
}

// table writes rows in columns. The last column of a row is as wide as it is.
func (p *page) table(rows [][]cell) {
	var widths []int
	for _, row := range rows {
		for i, c := range row[:max(0, len(row)-1)] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(printable(c.text)))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, c := range row {
			line.WriteString("  " + p.paint(c))
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(printable(c.text))))
			}
		}
		p.text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// sentences writes the clauses of a message below one another.
func (p *page) sentences(message string, tone tone) {
	for _, clause := range strings.Split(message, "; ") {
		p.line(cell{"  " + clause, tone})
	}
}

func (p *page) String() string { return p.text.String() }

// printable replaces what a terminal would obey instead of show: the content of a
// Release is written by its authors, and must not hide itself from who looks at it.
func printable(s string) string {
	hidden := func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
	}
	if utf8.ValidString(s) && strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

const digestHead = len("sha256:") + 12

// digest is as much of one as tells it from others.
func (p *page) digest(d string) string {
	switch {
	case d == "":
		return "no digest yet"
	case !p.Wide && len(d) > digestHead:
		return d[:digestHead]
	}
	return d
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func plural(n int, what string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
