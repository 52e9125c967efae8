// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// flushEvery bounds how far a trace is behind.
const flushEvery = 500 * time.Millisecond

// Record is what came of one request, and one line of a trace.
type Record struct {
	At      time.Time     `json:"at"` // when it was sent
	Took    time.Duration `json:"took"`
	Status  int           `json:"status,omitempty"`
	Version string        `json:"version,omitempty"`
	Pod     string        `json:"pod,omitempty"`
	Nth     int           `json:"nth"` // of its connection, from 1
	Cause   string        `json:"cause,omitempty"`
	Error   string        `json:"error,omitempty"`
}

// Done is when it was answered, or failed.
func (r Record) Done() time.Time { return r.At.Add(r.Took) }

// Trace writes a line for each request.
type Trace struct {
	mu      sync.Mutex
	w       *bufio.Writer
	flushed time.Time
	err     error
}

// NewTrace writes to w. The trace is complete when it is closed.
func NewTrace(w io.Writer) *Trace {
	return &Trace{w: bufio.NewWriterSize(w, 1<<16)}
}

func (t *Trace) add(r Record) {
	line, err := json.Marshal(r)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return
	}
	if t.err = err; err != nil {
		return
	}
	if _, t.err = t.w.Write(append(line, '\n')); t.err == nil && time.Since(t.flushed) > flushEvery {
		t.err, t.flushed = t.w.Flush(), time.Now()
	}
}

// Close writes what is left, and says whether all of it could be written.
func (t *Trace) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = t.w.Flush()
	}
	return t.err
}

// TraceReader reads a trace while it is written.
type TraceReader struct {
	r    io.Reader
	rest []byte
}

// NewTraceReader reads from r, whose end may be but the end for now.
func NewTraceReader(r io.Reader) *TraceReader { return &TraceReader{r: r} }

// Next is what has been written since it was last called.
func (t *TraceReader) Next() ([]Record, error) {
	raw, err := io.ReadAll(t.r)
	if err != nil {
		return nil, err
	}
	raw = append(t.rest, raw...)
	end := bytes.LastIndexByte(raw, '\n') + 1
	t.rest = bytes.Clone(raw[end:]) // the last line may be half written
	var all []Record
	for line := range bytes.Lines(raw[:end]) {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("read a trace: %w in %q", err, line)
		}
		all = append(all, r)
	}
	return all, nil
}
