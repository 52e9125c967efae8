// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// What is wrong with a policy is told to its owners before anybody waits.
func TestPolicies(t *testing.T) {
	spec := func(changes ...func(*v1alpha1.ApprovalPolicySpec)) *v1alpha1.ApprovalPolicySpec {
		s := &v1alpha1.ApprovalPolicySpec{
			Namespaces: []string{"prod"}, ValidFor: metav1.Duration{Duration: time.Hour},
			Rules: []v1alpha1.ApprovalRule{{Name: "qa", Count: 1, Groups: []string{"qa"}}},
		}
		for _, change := range changes {
			change(s)
		}
		return s
	}
	allow := func(schedule, zone string) func(*v1alpha1.ApprovalPolicySpec) {
		return func(s *v1alpha1.ApprovalPolicySpec) {
			s.Windows = &v1alpha1.Windows{TimeZone: zone, Allow: []v1alpha1.Window{{Schedule: schedule, Duration: metav1.Duration{Duration: time.Hour}}}}
		}
	}
	few := func(s *v1alpha1.ApprovalPolicySpec) {
		s.Rules = []v1alpha1.ApprovalRule{{Name: "qa", Count: 2, Users: []string{"bob"}}}
	}
	hold := func(s *v1alpha1.ApprovalPolicySpec) { s.Hold = "INC-1" }
	for name, tc := range map[string]struct {
		reason         string
		was, now       *v1alpha1.ApprovalPolicySpec
		refused, warns string
	}{
		"Good":         {"one that can be met", nil, spec(), "", ""},
		"Window":       {"with a window that opens", nil, spec(allow("0 9 * * 1-5", "Europe/Berlin")), "", ""},
		"NeverOpens":   {"a window that never opens", nil, spec(allow("0 9 30 2 *", "")), "windows never open", ""},
		"NoZone":       {"a zone that does not exist", nil, spec(allow("0 9 * * *", "Europe/Atlantis")), "nothing could ever be let through under ApprovalPolicy p: windows.timeZone \"Europe/Atlantis\"", ""},
		"BadSchedule":  {"a schedule that cannot be read", nil, spec(allow("0 25 * * *", "")), "windows.allow[0].schedule", ""},
		"Few":          {"fewer people than seats: their number may grow elsewhere", nil, spec(few), "", "p/qa needs 1 more approval, but nobody is left who could"},
		"Hold":         {"a hold says how it is lifted", nil, spec(hold), "", "policy p stops the line: INC-1"},
		"HoldOnBroken": {"what was wrong before does not keep the line from being stopped", spec(allow("0 25 * * *", "")), spec(allow("0 25 * * *", ""), hold), "", "nothing is let through under this policy: windows.allow[0]"},
		"BrokenOnHold": {"but what is made wrong is refused", spec(), spec(allow("0 25 * * *", ""), hold), "windows.allow[0]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create}}
			req.Object.Raw = encoded(t, &v1alpha1.ApprovalPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: *tc.now})
			if tc.was != nil {
				req.OldObject.Raw = encoded(t, &v1alpha1.ApprovalPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: *tc.was})
			}
			w := &PolicyWebhook{Now: func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }}
			response := w.Handle(t.Context(), req)
			if response.Allowed != (tc.refused == "") || !response.Allowed && !strings.Contains(response.Result.Message, tc.refused) {
				t.Errorf("%s: allowed %v (%+v), want %q", tc.reason, response.Allowed, response.Result, tc.refused)
			}
			if warnings := strings.Join(response.Warnings, "\n"); !strings.Contains(warnings, tc.warns) || (warnings == "") != (tc.warns == "") {
				t.Errorf("%s: warns %q, want %q", tc.reason, warnings, tc.warns)
			}
			if len(response.Patches)+len(response.Patch) > 0 {
				t.Error("it changes the policy")
			}
		})
	}
	if response := (&PolicyWebhook{}).Handle(t.Context(), admission.Request{}); response.Allowed {
		t.Error("what cannot be read is admitted")
	}
}
