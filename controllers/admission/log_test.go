// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// A refusal is logged with the keys that the operator's log has.
func TestRefusalsAreLogged(t *testing.T) {
	was := manifest()
	was.Status.Phase, was.Status.Candidate = v1alpha1.PhaseTesting, &v1alpha1.CandidateStatus{Digest: "sha256:c"}
	now := was.DeepCopy()
	now.Spec.Template.Spec.Containers = nil
	var lines []string
	ctx := log.IntoContext(t.Context(), funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{}))
	webhook(t, prod()).Handle(ctx, updating(t, person(dev), was, now))
	webhook(t, prod()).Handle(ctx, creating(t, person(dev), now))
	for i, want := range []string{`"digest"="sha256:c" "phase"="Testing"`, `"digest"="" "phase"=""`} {
		want = `"level"=0 "msg"="Refused a write" "namespace"="shop" "release"="shop" ` + want + ` "user"="` + dev + `" "reason"="Spec"`
		if len(lines) != 2 || lines[i] != want {
			t.Errorf("it logs\n%q, want\n%q", lines, want)
		}
	}
}
