// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package digest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/gowebpki/jcs"
)

// maxInteger is the largest integer up to which all have a JSON number of their
// own (RFC 8785 appendix D, RFC 7493 section 2.2).
const maxInteger = 1<<53 - 1

// Canonical is the canonical JSON of v by RFC 8785: what encoding/json makes of
// it, with sorted members and one form for each number and string.
//
// What two different values would share is refused: integers beyond 2^53-1,
// which become the same double as their neighbours, and strings that are not
// UTF-8, whose bytes all become U+FFFD. So are values that have no JSON, such as
// NaN, and objects that name a member twice.
func Canonical(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("make JSON: %w", err)
	}
	if err := lossless(raw); err != nil {
		return nil, err
	}
	canonical, err := jcs.Transform(raw)
	if err != nil {
		return nil, fmt.Errorf("make canonical JSON: %w", err)
	}
	if err := lossless(canonical); err != nil {
		return nil, err
	}
	return canonical, nil
}

// lossless refuses JSON that stands for more than one value. It is asked before
// numbers become doubles, when long integers still show, and after.
func lossless(raw []byte) error {
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '"':
			end, err := endOfString(raw, i)
			if err != nil {
				return err
			}
			i = end
		case c == '-' || '0' <= c && c <= '9':
			end := i + 1
			for end < len(raw) && bytes.IndexByte([]byte("0123456789+-.eE"), raw[end]) >= 0 {
				end++
			}
			if err := exact(string(raw[i:end])); err != nil {
				return err
			}
			i = end
		default:
			i++
		}
	}
	return nil
}

// endOfString is the index after the string that begins at start. encoding/json
// writes the escape of U+FFFD for bytes that are not UTF-8, and a real U+FFFD as
// it is.
func endOfString(raw []byte, start int) (int, error) {
	for i := start + 1; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			return i + 1, nil
		case '\\':
			if bytes.HasPrefix(raw[i+1:], []byte("ufffd")) {
				return 0, errors.New("a text is not UTF-8; write it in UTF-8")
			}
			i++
		}
	}
	return len(raw), nil
}

// exact refuses an integer that is not the only one with its double.
func exact(number string) error {
	if bytes.ContainsAny([]byte(number), ".eE") {
		return nil
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n > maxInteger || n < -maxInteger {
		return fmt.Errorf("the number %.32s is too large to be told from its neighbours; write one from -%d to %d", number, maxInteger, maxInteger)
	}
	return nil
}

// prune takes null members and empty lists out of objects, so that leaving a
// list out and giving an empty one is the same. An empty object stays: an empty
// namespaceSelector selects all namespaces and an emptyDir needs no settings.
func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			member = prune(member)
			if list, isList := member.([]any); member == nil || isList && len(list) == 0 {
				delete(v, key)
			} else {
				v[key] = member
			}
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return v
}
