// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// property is a value of the chart, as its JSON schema describes it.
type property struct {
	name        string
	Description string          `json:"description"`
	Default     json.RawMessage `json:"default"`
	Properties  properties      `json:"properties"`
}

// properties are in the order in which the schema has them.
type properties []property

func (p *properties) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		next := property{name: name.(string)}
		if err := decoder.Decode(&next); err != nil {
			return err
		}
		*p = append(*p, next)
	}
	return nil
}

func readSchema(file string) (property, error) {
	var schema property
	raw, err := os.ReadFile(file)
	if err != nil {
		return schema, err
	}
	if err := json.Unmarshal(raw, &schema); err != nil {
		return schema, fmt.Errorf("%s: %w", file, err)
	}
	return schema, schema.complete("")
}

// complete wants a description and a default of everything.
func (p property) complete(path string) error {
	for _, child := range p.Properties {
		name := strings.TrimPrefix(path+"."+child.name, ".")
		if child.Description == "" {
			return fmt.Errorf("value %s has no description", name)
		}
		if !child.isGroup() {
			continue
		}
		if len(child.Properties) == 0 {
			return fmt.Errorf("value %s has no default", name)
		}
		if err := child.complete(name); err != nil {
			return err
		}
	}
	return nil
}

// isGroup is true of what only holds other values. An object with a default is
// one value, such as resources.
func (p property) isGroup() bool { return len(p.Default) == 0 }

// defaults is the file values.yaml.
func (p property) defaults() string {
	var out strings.Builder
	out.WriteString("# Copyright The Countersign Authors.\n# SPDX-License-Identifier: Apache-2.0\n\n" +
		"# Made from values.schema.json by hack/chart; change that, and run: make generate\n")
	p.write(&out, "")
	return out.String()
}

func (p property) write(out *strings.Builder, indent string) {
	for _, child := range p.Properties {
		if indent == "" {
			out.WriteString("\n")
		}
		for _, line := range wrap(child.Description, 96-len(indent)) {
			out.WriteString(indent + "# " + line + "\n")
		}
		if child.isGroup() {
			out.WriteString(indent + child.name + ":\n")
			child.write(out, indent+"  ")
			continue
		}
		// JSON on one line is YAML.
		fmt.Fprintf(out, "%s%s: %s\n", indent, child.name, child.oneLine())
	}
}

// oneLine is the default with a space after what separates.
func (p property) oneLine() string {
	var b bytes.Buffer
	if err := json.Compact(&b, p.Default); err != nil {
		return string(p.Default)
	}
	return strings.NewReplacer(`":`, `": `, `,"`, `, "`).Replace(b.String())
}

func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// table is for docs/install.md.
func (p property) table() string {
	var out strings.Builder
	out.WriteString("| value | default | |\n|---|---|---|\n")
	p.rows(&out, "")
	return out.String()
}

func (p property) rows(out *strings.Builder, path string) {
	for _, child := range p.Properties {
		name := strings.TrimPrefix(path+"."+child.name, ".")
		if child.isGroup() {
			child.rows(out, name)
			continue
		}
		fmt.Fprintf(out, "| `%s` | `%s` | %s |\n", name, child.oneLine(), child.Description)
	}
}

const tableBegin, tableEnd = "<!-- values -->\n", "<!-- end of values -->\n"

func replaceTable(page []byte, table string) ([]byte, error) {
	before, rest, begins := strings.Cut(string(page), tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		return nil, errors.New("docs/install.md has no place for the table of values")
	}
	return []byte(before + tableBegin + table + tableEnd + after), nil
}
