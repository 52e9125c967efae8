// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"slices"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
)

// Only the operator takes its finalizer off; from others it comes back.
func TestFinalizer(t *testing.T) {
	finalizers := func(names ...string) func(*v1alpha1.Release) {
		return func(rel *v1alpha1.Release) { rel.Finalizers = names }
	}
	want := func(names ...string) func(*testing.T, *v1alpha1.Release) {
		return func(t *testing.T, rel *v1alpha1.Release) {
			t.Helper()
			if !slices.Equal(rel.Finalizers, names) {
				t.Errorf("finalizers are %q, want %q", rel.Finalizers, names)
			}
		}
	}
	const other = "example.com/other"
	held := stored(t, finalizers(v1alpha1.Finalizer))
	cases(t, map[string]write{
		"Dropped":  {reason: "a replace from Git does not know it", by: person(bot), was: held, change: finalizers(), warns: "was kept", check: want(v1alpha1.Finalizer)},
		"Replaced": {reason: "another one stays beside it", by: person(bot), was: held, change: finalizers(other), warns: "was kept", check: want(other, v1alpha1.Finalizer)},
		"Added":    {reason: "others may be added", was: held, change: finalizers(v1alpha1.Finalizer, other), check: want(v1alpha1.Finalizer, other)},
		"Other":    {reason: "others may be taken off", was: stored(t, finalizers(other)), change: finalizers(), check: want()},
		"Operator": {reason: "the operator has tidied up", by: person(operator), was: held, change: finalizers(), check: want()},
	})
}
