// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/countersign/countersign/hack/cluster/load"
	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/countersign/countersign/hack/e2e/soak"
	"github.com/countersign/countersign/hack/e2e/story"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// progressEvery is how often it is told how far things are.
	progressEvery = 5 * time.Second
	// toldFailures bounds how many lost requests are told as they come.
	toldFailures = 20
)

// traffic are the clients of a Service, and what came of their requests so far.
type traffic struct {
	out     io.Writer
	clients []*trafficClient
	records map[soak.Kind][]load.Record
	done    chan struct{}
	told    sync.WaitGroup

	sent, failed, sick int
}

type trafficClient struct {
	kind  soak.Kind
	load  *story.Load
	file  *os.File
	trace *load.TraceReader
}

// patterns are what the clients send. The long requests are ten at a time.
func patterns(service types.NamespacedName) map[soak.Kind]story.Traffic {
	url := fmt.Sprintf("http://%s.%s/", service.Name, service.Namespace)
	return map[soak.Kind]story.Traffic{
		soak.New:  {URL: url, Rate: loadRate},
		soak.Kept: {URL: url, Rate: 100, Connections: 20},
		soak.Long: {URL: url + "slow?for=2500ms", Rate: 4, Timeout: 15 * time.Second},
	}
}

func startTraffic(c *local.Cluster, service types.NamespacedName, o soakOptions, out io.Writer) (*traffic, error) {
	t := &traffic{out: out, records: map[soak.Kind][]load.Record{}, done: make(chan struct{})}
	for kind, pattern := range patterns(service) {
		pattern.Name, pattern.Limit = string(kind), o.limit()+time.Minute
		pattern.Trace = filepath.Join(o.dir, pattern.Name+".jsonl")
		file, err := os.Create(pattern.Trace) // the client, which starts later, writes into the same one
		if err != nil {
			return nil, errors.Join(err, t.stop(context.Background()))
		}
		client := &trafficClient{kind: kind, file: file, trace: load.NewTraceReader(file)}
		t.clients = append(t.clients, client)
		if client.load, err = story.Send(c, o.dir, pattern); err != nil {
			return nil, errors.Join(err, t.stop(context.Background()))
		}
	}
	return t, nil
}

// tell says every few seconds how far things are, until the traffic is stopped.
func (t *traffic) tell(progress func() string) {
	t.told.Go(func() {
		every := time.NewTicker(progressEvery)
		defer every.Stop()
		for {
			select {
			case <-t.done:
				return
			case <-every.C:
				if err := t.poll(); err != nil {
					fmt.Fprintln(t.out, "soak:", err)
				}
				fmt.Fprintf(t.out, "%s; sent=%d failed=%d sick=%d\n", progress(), t.sent, t.failed, t.sick)
			}
		}
	})
}

// poll reads what the clients have traced since.
func (t *traffic) poll() error {
	for _, c := range t.clients {
		records, err := c.trace.Next()
		if err != nil {
			return err
		}
		for _, r := range records {
			t.count(c.kind, r)
		}
		t.records[c.kind] = append(t.records[c.kind], records...)
	}
	return nil
}

func (t *traffic) count(kind soak.Kind, r load.Record) {
	t.sent++
	switch {
	case r.Cause != "":
		if t.failed++; t.failed <= toldFailures {
			fmt.Fprintf(t.out, "soak: a %s request failed at %s: %s: %s\n", kind, r.At.UTC().Format("15:04:05.000"), r.Cause, r.Error)
		}
	case r.Status >= 500:
		t.sick++
	}
}

// stop ends the clients, waits for their last answers and reads the rest of what
// they have traced.
func (t *traffic) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	close(t.done)
	t.told.Wait()
	var all []error
	for _, c := range t.clients {
		if c.load != nil {
			_, err := c.load.Stop(ctx)
			all = append(all, err)
		}
	}
	all = append(all, t.poll())
	for _, c := range t.clients {
		all = append(all, c.file.Close())
	}
	return errors.Join(all...)
}
