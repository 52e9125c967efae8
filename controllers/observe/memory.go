// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// memoryLimit is how many objects are remembered. Beyond it, all are forgotten
// and read again.
const memoryLimit = 50_000

// Contents is what is kept of what an object holds.
type Contents struct {
	hash string
	keys []string
}

// Memory spares reading an object again that has not changed. The zero value is
// empty; nil remembers nothing.
type Memory struct {
	mu    sync.Mutex
	known map[place]entry
}

type place struct {
	namespace string
	ref       v1alpha1.ConfigRef
}

type entry struct {
	version  string
	contents Contents
}

func (m *Memory) get(o client.Object, ref v1alpha1.ConfigRef) (Contents, bool) {
	if m == nil {
		return Contents{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.known[place{o.GetNamespace(), ref}]
	return e.contents, ok && e.version == o.GetResourceVersion()
}

func (m *Memory) put(o client.Object, ref v1alpha1.ConfigRef, contents Contents) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= memoryLimit {
		m.known = map[place]entry{}
	}
	m.known[place{o.GetNamespace(), ref}] = entry{o.GetResourceVersion(), contents}
}

// neededCopies are the copies of every content on record and of the one that the
// spec wants.
func neededCopies(s *rollout.Snapshot) map[v1alpha1.ConfigRef]bool {
	st, needed := &s.Release.Status, map[v1alpha1.ConfigRef]bool{}
	contents := [][]v1alpha1.ConfigCopy{s.Config.Wanted}
	if st.Active != nil {
		contents = append(contents, st.Active.Config)
	}
	if st.Former != nil {
		contents = append(contents, st.Former.Config)
	}
	if st.Candidate != nil {
		contents = append(contents, st.Candidate.Config)
	}
	if st.Switch != nil && st.Switch.SettledAt == nil && st.Switch.CancelledAt == nil {
		contents = append(contents, st.Switch.To.Config)
	}
	for _, k := range st.Kept {
		if record := s.Record(k); record != nil {
			contents = append(contents, record.Content.Config)
		}
	}
	for _, c := range slices.Concat(contents...) {
		needed[v1alpha1.ConfigRef{Kind: c.Kind, Name: c.Copy}] = true
	}
	return needed
}

func sortedRefs(set map[v1alpha1.ConfigRef]bool) []v1alpha1.ConfigRef {
	return slices.SortedFunc(maps.Keys(set), func(a, b v1alpha1.ConfigRef) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}

func keysOf(data map[string]string, binary map[string][]byte) []string {
	return slices.Concat(slices.Sorted(maps.Keys(data)), slices.Sorted(maps.Keys(binary)))
}
