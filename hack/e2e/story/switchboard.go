// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package story

import (
	"fmt"
	"slices"
	"sync"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Switchboard records every change of a Service's selector to a colour.
type Switchboard struct {
	mu   sync.Mutex
	last string
	seen []string
}

// WatchSwitches records the switches of a Service of the Release's namespace
// until the story's context ends.
func (s *Story) WatchSwitches(service string) (*Switchboard, error) {
	w, err := s.Client.Watch(s.ctx, &corev1.ServiceList{}, client.InNamespace(s.Release.Namespace), client.MatchingFields{"metadata.name": service})
	if err != nil {
		return nil, fmt.Errorf("watch Service %s: %w", service, err)
	}
	board := &Switchboard{}
	go func() {
		defer w.Stop()
		for event := range w.ResultChan() {
			if svc, ok := event.Object.(*corev1.Service); ok && event.Type != watch.Deleted {
				board.record(svc)
			}
		}
	}()
	return board, nil
}

func (b *Switchboard) record(svc *corev1.Service) {
	b.mu.Lock()
	defer b.mu.Unlock()
	colour := svc.Spec.Selector[v1alpha1.ColourLabel]
	if colour == b.last {
		return
	}
	b.last = colour
	if colour != "" && colour != v1alpha1.ColourNone {
		b.seen = append(b.seen, fmt.Sprintf("epoch %s %s", svc.Annotations[v1alpha1.EpochAnnotation], colour))
	}
}

// Seen are the switches so far, such as "epoch 2 green".
func (b *Switchboard) Seen() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.seen)
}
