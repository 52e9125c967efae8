// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// endpointJournal is what was seen of the endpoints of a Service and of the Pods: where
// a request could go when it failed.
type endpointJournal struct {
	mu   sync.Mutex
	seen []sighting
}

type sighting struct {
	at   time.Time
	text string
}

// aroundFailure is how much of the journal is shown on either side of a failure.
const aroundFailure = 2 * time.Second

// watchEndpoints keeps the journal until the context ends.
func watchEndpoints(ctx context.Context, c client.WithWatch, namespace, service string) (*endpointJournal, error) {
	j := &endpointJournal{}
	for _, of := range []struct {
		list    client.ObjectList
		options []client.ListOption
	}{
		{&discoveryv1.EndpointSliceList{}, []client.ListOption{client.MatchingLabels{discoveryv1.LabelServiceName: service}}},
		{&corev1.PodList{}, nil},
	} {
		w, err := c.Watch(ctx, of.list, append(of.options, client.InNamespace(namespace))...)
		if err != nil {
			return nil, fmt.Errorf("watch %T: %w", of.list, err)
		}
		go func() {
			defer w.Stop()
			for event := range w.ResultChan() {
				j.note(event)
			}
		}()
	}
	return j, nil
}

func (j *endpointJournal) note(event watch.Event) {
	text := ""
	switch o := event.Object.(type) {
	case *discoveryv1.EndpointSlice:
		text = fmt.Sprintf("%s EndpointSlice %s: %s", event.Type, o.Name, strings.Join(endpoints(o), ", "))
	case *corev1.Pod:
		text = fmt.Sprintf("%s Pod %s (%s): ready=%t ending=%t", event.Type, o.Name, o.Status.PodIP, isReady(o), o.DeletionTimestamp != nil)
	default:
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen = append(j.seen, sighting{time.Now(), text})
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func endpoints(slice *discoveryv1.EndpointSlice) (all []string) {
	yes := func(b *bool) bool { return b != nil && *b }
	for _, e := range slice.Endpoints {
		pod := ""
		if e.TargetRef != nil {
			pod = e.TargetRef.Name
		}
		all = append(all, fmt.Sprintf("%s ready=%t serving=%t ending=%t", pod, yes(e.Conditions.Ready), yes(e.Conditions.Serving), yes(e.Conditions.Terminating)))
	}
	return all
}

// print shows what was seen around the times of failures.
func (j *endpointJournal) print(out io.Writer, failures []time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, at := range failures {
		fmt.Fprintf(out, "\n# endpoints and Pods around the failure at %s\n", at.UTC().Format("15:04:05.000"))
		for _, s := range j.seen {
			if d := s.at.Sub(at); d.Abs() <= aroundFailure {
				fmt.Fprintf(out, "%+6d ms %s\n", d.Milliseconds(), s.text)
			}
		}
	}
}
