// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// short is a digest for people.
func short(digest string) string {
	if len(digest) > 19 {
		return digest[:19]
	}
	return digest
}

// digested is how a content is told from others of its colour, and a comma; empty
// for what has no digest.
func digested(c v1alpha1.Content) string {
	if c.Digest == "" {
		return ""
	}
	return short(c.Digest) + ", "
}

// clip bounds a text to what its field in the status may hold.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// clause is what a message is about, without what to do about it: that is too
// long for a column and stands in the condition.
func clause(message string) string {
	about, _, _ := strings.Cut(message, ";")
	return about
}

func list(names []string) string { return strings.Join(names, ", ") }

// authorLimit is how many authors the status can hold.
const authorLimit = 64

// allAuthors is the sorted set of both. Where there are too many, the empty name
// stands for those that are left out: it makes the authors unknown, so that
// none of them can approve.
func allAuthors(a, b []string) []string {
	all := union(a, b)
	if len(all) > authorLimit {
		all = union(all[:authorLimit-1], []string{""})
	}
	return all
}

// allDelegates are the programs among two sets of authors that said for whom they
// wrote wherever they are authors.
func allDelegates(a, saidInA, b, saidInB []string) (delegates []string) {
	silent := func(name string, authors, said []string) bool {
		return slices.Contains(authors, name) && !slices.Contains(said, name)
	}
	for _, name := range union(saidInA, saidInB) {
		if !silent(name, a, saidInA) && !silent(name, b, saidInB) {
			delegates = append(delegates, name)
		}
	}
	return atMost(authorLimit, delegates)
}

func atMost(n int, names []string) []string { return names[:min(n, len(names))] }

// union is the sorted set of both.
func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) == 0 {
		return nil
	}
	return out
}

func compare(a, b string) int { return cmp.Compare(a, b) }

// microless is a time as the status keeps it: whole seconds.
func microless(t time.Time) *metav1.Time {
	m := metav1.NewTime(t.Truncate(time.Second))
	return &m
}

// samePorts compares what a preview takes over from its active Service: all but
// nodePort, which the API server picks.
func samePorts(a, b []corev1.ServicePort) bool {
	return slices.EqualFunc(a, b, func(x, y corev1.ServicePort) bool {
		return x.Name == y.Name && x.Port == y.Port && x.TargetPort == y.TargetPort && x.Protocol == y.Protocol && spoken(x) == spoken(y)
	})
}

// spoken is the application protocol of a port; empty if none is written.
func spoken(p corev1.ServicePort) string {
	if p.AppProtocol == nil {
		return ""
	}
	return *p.AppProtocol
}
