// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
)

// The probe's dry-runs reach the admission policies unstamped; nobody else's do,
// and nothing else of the probe.
func TestProbe(t *testing.T) {
	probe := authenticationv1.UserInfo{Username: "system:serviceaccount:countersign-probe:countersign-probe"}
	for name, tc := range map[string]struct {
		by        authenticationv1.UserInfo
		namespace string
		dryRun    bool
		passed    bool
	}{
		"as dry-run":      {probe, "countersign-probe", true, true},
		"for good":        {probe, "countersign-probe", false, false},
		"elsewhere":       {probe, "shop", true, false},
		"somebody else":   {person(qa), "countersign-probe", true, false},
		"without a probe": {authenticationv1.UserInfo{}, "", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := webhook(t, prod())
			if tc.namespace != "" {
				w.ProbeUser, w.ProbeNamespace = probe.Username, "countersign-probe"
			}
			was := stored(t)
			was.Namespace = tc.namespace
			now := was.DeepCopy()
			now.Spec.Template.Labels = map[string]string{"x": "y"}
			req := updating(t, tc.by, was, now)
			req.DryRun = &tc.dryRun
			response, reason := w.handle(t.Context(), req)
			if got := response.Allowed && len(response.Patches) == 0; got != tc.passed || (reason == "Probe") != tc.passed {
				t.Errorf("allowed %t with %d patches, %q", response.Allowed, len(response.Patches), reason)
			}
		})
	}
}

// The operator writes content where the self-test is, and nowhere else.
func TestOperatorWritesTheFixture(t *testing.T) {
	for namespace, refused := range map[string]bool{"countersign-probe": false, "shop": true} {
		w := webhook(t, prod())
		w.ProbeUser, w.ProbeNamespace = "probe", "countersign-probe"
		rel := manifest()
		rel.Namespace = namespace
		response, reason := w.handle(t.Context(), creating(t, authenticationv1.UserInfo{Username: operator}, rel))
		if response.Allowed == refused || refused && !strings.Contains(reason, "Operator") {
			t.Errorf("in %s: allowed %t, %q: %+v", namespace, response.Allowed, reason, response.Result)
		}
	}
}
