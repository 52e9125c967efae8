// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// document is a file with blocks of commands.
type document struct {
	name  string
	parts []part
}

// part is a block of a document, with the mark that stands before it.
type part struct {
	line int
	mark mark
	text string // of the block, or the commands of a hidden one
}

// mark says what a block is. In a document it is a comment just before the block,
// which nobody sees who reads the page.
type mark struct {
	kind   kind
	with   []string      // of run and refused: words of commands and what a run puts in their place, in turn
	reason string        // of notRun
	what   string        // of within
	limit  time.Duration // of within
}

type kind int

const (
	unmarked kind = iota
	run
	refused // each command has to be refused
	output  // what the block before prints at its end
	notRun
	prepare // commands that bring the cluster to what the text supposes; nobody sees them
	within  // the time from the beginning of the document to here
)

// parse finds the blocks of commands and output of a document, and the comments
// that concern them.
func parse(name string, source []byte) (document, error) {
	d := document{name: name}
	var comment ast.Node // with the mark
	var pending mark
	err := ast.Walk(goldmark.DefaultParser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.HTMLBlock:
			m, commands, err := parseMark(linesOf(n, source))
			if err != nil {
				return ast.WalkStop, fmt.Errorf("%s:%d: %w", name, lineOf(n, source), err)
			}
			p := part{line: lineOf(n, source), mark: m, text: commands}
			switch m.kind {
			case unmarked: // a comment on something else
			case prepare, within:
				d.parts = append(d.parts, p)
			default:
				comment, pending = n, m
			}
			return ast.WalkContinue, nil
		case *ast.FencedCodeBlock:
			p := part{line: lineOf(n, source), text: string(n.Lines().Value(source))}
			if comment != nil && n.PreviousSibling() == comment {
				p.mark = pending
			}
			if p.mark.kind != unmarked || slices.Contains(ofCommands, string(n.Language(source))) {
				d.parts = append(d.parts, p)
			}
		}
		return ast.WalkContinue, nil
	})
	return d, err
}

// ofCommands are the languages of blocks that may hold commands, or what they print.
var ofCommands = []string{"", "sh", "bash", "shell", "console", "text"}

func parseMark(comment string) (mark, string, error) {
	inner, ok := strings.CutPrefix(strings.TrimSpace(comment), "<!--")
	if !ok {
		return mark{}, "", nil
	}
	inner, ok = strings.CutSuffix(inner, "-->")
	if !ok {
		return mark{}, "", nil
	}
	head, rest, _ := strings.Cut(strings.TrimSpace(inner), "\n")
	word, argument, _ := strings.Cut(head, ":")
	argument = strings.TrimSpace(argument)
	switch word {
	case "run":
		m := mark{kind: run}
		if rest, ok := strings.CutPrefix(argument, "refused"); ok {
			m.kind, argument = refused, strings.TrimPrefix(rest, ", ")
		}
		var err error
		m.with, err = parseWith(argument)
		return m, "", err
	case "output":
		return mark{kind: output}, "", nil
	case "not run":
		if argument == "" {
			return mark{}, "", errors.New("a block that is not run needs a reason; write not run: REASON")
		}
		return mark{kind: notRun, reason: argument}, "", nil
	case "prepare":
		return mark{kind: prepare}, rest, nil
	case "within":
		limit, what, _ := strings.Cut(argument, ",")
		d, err := time.ParseDuration(limit)
		return mark{kind: within, limit: d, what: strings.TrimSpace(what)}, "", err
	}
	return mark{}, "", nil
}

// parseWith reads "with NAME=shop NAMESPACE=prod".
func parseWith(argument string) ([]string, error) {
	if argument == "" {
		return nil, nil
	}
	words := strings.Fields(argument)
	var with []string
	for _, word := range words[1:] {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, fmt.Errorf("%s is not WORD=VALUE", word)
		}
		with = append(with, name, value)
	}
	if words[0] != "with" || len(with) == 0 {
		return nil, fmt.Errorf("run: %s is no mark; write run, run: refused or run: with WORD=VALUE, or the last two with a comma between them", argument)
	}
	return with, nil
}

// complain refuses what no run could make sense of.
func (d document) complain() error {
	var before kind
	for _, p := range d.parts {
		switch {
		case p.mark.kind == unmarked:
			return fmt.Errorf("%s:%d: this block is not marked; write before it <!-- run -->, <!-- run: refused -->, <!-- output --> or <!-- not run: REASON -->", d.name, p.line)
		case p.mark.kind == output && before != run && before != refused && before != notRun:
			return fmt.Errorf("%s:%d: this output follows no block of commands", d.name, p.line)
		case p.mark.kind == prepare && strings.TrimSpace(p.text) == "":
			return fmt.Errorf("%s:%d: prepare without commands", d.name, p.line)
		}
		before = p.mark.kind
	}
	return nil
}

func linesOf(n *ast.HTMLBlock, source []byte) string {
	all := n.Lines().Value(source)
	if n.HasClosure() {
		all = append(slices.Clone(all), n.ClosureLine.Value(source)...)
	}
	return string(all)
}

// lineOf is the first line of a block, counted from one; of a fenced one it is
// the line of its fence.
func lineOf(n ast.Node, source []byte) int {
	if n.Lines().Len() == 0 {
		return 0
	}
	line := 1 + bytes.Count(source[:n.Lines().At(0).Start], []byte("\n"))
	if n.Kind() == ast.KindFencedCodeBlock {
		line--
	}
	return line
}
