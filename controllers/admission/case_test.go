// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/receipt"
	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// write is one case: who changes what, and what has to come out.
type write struct {
	reason   string
	by       authenticationv1.UserInfo // zero: bob of oidc:qa
	was      *v1alpha1.Release         // zero: stored
	change   func(*v1alpha1.Release)
	dryRun   bool
	policies []client.Object // nil: prod

	refused string            // the reason in one word; empty if it is admitted
	says    []string          // parts of the message
	warns   string            // a part of a warning; empty if there is none
	want    map[string]string // parts of annotations; "-": absent, "=": as it was
	check   func(*testing.T, *v1alpha1.Release)
}

func (tc write) run(t *testing.T) {
	t.Helper()
	if tc.by.Username == "" {
		tc.by = person(qa, "oidc:qa", "system:authenticated")
	}
	if tc.was == nil {
		tc.was = stored(t)
	}
	if tc.policies == nil {
		tc.policies = []client.Object{prod()}
	}
	now := tc.was.DeepCopy()
	tc.change(now)
	w := webhook(t, tc.policies...)
	req := updating(t, tc.by, tc.was, now)
	req.DryRun = &tc.dryRun
	tc.judge(t, w, req)
}

func (tc write) judge(t *testing.T, w *Webhook, req admission.Request) {
	t.Helper()
	response, reason := w.handle(t.Context(), req)
	if response.Allowed != (tc.refused == "") || reason != tc.refused {
		t.Fatalf("%s: got allowed %v for %q (%+v), want %q", tc.reason, response.Allowed, reason, response.Result, tc.refused)
	}
	if again := w.Handle(t.Context(), req); !reflect.DeepEqual(again, response) {
		t.Errorf("%s: handled again, got %+v, want %+v", tc.reason, again, response)
	}
	warnings := strings.Join(response.Warnings, "\n")
	if !strings.Contains(warnings, tc.warns) || (tc.warns == "") != (warnings == "") {
		t.Errorf("%s: got warnings %q, want %q", tc.reason, warnings, tc.warns)
	}
	if !response.Allowed {
		for _, part := range tc.says {
			if !strings.Contains(response.Result.Message, part) {
				t.Errorf("%s: the message is %q, want %q in it", tc.reason, response.Result.Message, part)
			}
		}
		if strings.Contains(response.Result.Message, "kubectl ") && strings.HasSuffix(response.Result.Message, ")") {
			t.Errorf("%s: whoever copies the command of %q copies a bracket too", tc.reason, response.Result.Message)
		}
		return
	}
	got := patched(t, req.Object.Raw, response)
	tc.annotations(t, got)
	if tc.check != nil {
		tc.check(t, got)
	}
	reinvoked(t, w, req, got)
}

func (tc write) annotations(t *testing.T, got *v1alpha1.Release) {
	t.Helper()
	for key, want := range tc.want {
		value, has := got.Annotations[key]
		was, had := "", false
		if tc.was != nil {
			was, had = tc.was.Annotations[key]
		}
		switch {
		case want == "-" && !has, want == "=" && has == had && value == was:
		case want == "-", want == "=", !has, !strings.Contains(value, want):
			t.Errorf("%s: %s is %q (%v), want %q", tc.reason, key, value, has, want)
		}
	}
}

// reinvoked: what came out goes in again, and nothing more changes.
func reinvoked(t *testing.T, w *Webhook, req admission.Request, got *v1alpha1.Release) {
	t.Helper()
	req.Object.Raw = encoded(t, got)
	response := w.Handle(t.Context(), req)
	if !response.Allowed {
		t.Fatalf("what was admitted is refused when it is reviewed again: %+v", response.Result)
	}
	if again := patched(t, req.Object.Raw, response); !reflect.DeepEqual(again, got) {
		t.Errorf("what was admitted is changed when it is reviewed again:\n%+v\n%+v", got.Annotations, again.Annotations)
	}
}

func updating(t testing.TB, by authenticationv1.UserInfo, was, now *v1alpha1.Release) admission.Request {
	t.Helper()
	req := creating(t, by, now)
	req.Operation = admissionv1.Update
	req.OldObject = runtime.RawExtension{Raw: encoded(t, was)}
	return req
}

func creating(t testing.TB, by authenticationv1.UserInfo, now *v1alpha1.Release) admission.Request {
	t.Helper()
	return admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID: types.UID("n1"), Operation: admissionv1.Create, Namespace: "shop", Name: now.Name, UserInfo: by,
		Object: runtime.RawExtension{Raw: encoded(t, now)},
	}}
}

func encoded(t testing.TB, o client.Object) []byte {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// patched is the object after the API server has applied the response's patch.
func patched(t testing.TB, object []byte, response admission.Response) *v1alpha1.Release {
	t.Helper()
	if len(response.Patches) > 0 {
		raw, err := json.Marshal(response.Patches)
		if err != nil {
			t.Fatal(err)
		}
		patch, err := jsonpatch.DecodePatch(raw)
		if err != nil {
			t.Fatal(err)
		}
		if object, err = patch.Apply(object); err != nil {
			t.Fatalf("the patch %s does not apply: %v", raw, err)
		}
	}
	rel := &v1alpha1.Release{}
	if err := json.Unmarshal(object, rel); err != nil {
		t.Fatal(err)
	}
	return rel
}

func cases(t *testing.T, table map[string]write) {
	t.Helper()
	for name, tc := range table {
		t.Run(threat(tc.reason)+name, func(t *testing.T) { tc.run(t) })
	}
}

// threat is the number that a reason begins with, as sec/NN, with a space.
func threat(reason string) string {
	if row, _, found := strings.Cut(reason, ":"); found && strings.HasPrefix(row, "sec/") {
		return row + " "
	}
	return ""
}

// counts wants exactly these votes to be proven, as "slot=user decision".
func counts(want ...string) func(*testing.T, *v1alpha1.Release) {
	return func(t *testing.T, rel *v1alpha1.Release) {
		t.Helper()
		var got []string
		for _, v := range receipt.Votes(rel, "c1", verifier()) {
			if v.Invalid == "" {
				got = append(got, v.Slot+"="+v.User+" "+string(v.Decision))
			}
		}
		if strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("the votes %v are proven, want %v", got, want)
		}
	}
}

// written wants exactly these authors to be proven.
func written(want ...string) func(*testing.T, *v1alpha1.Release) {
	return func(t *testing.T, rel *v1alpha1.Release) {
		t.Helper()
		got := receipt.KnownAuthors(rel, revision(t, rel.Spec), "c1", verifier())
		if !got.Known || !reflect.DeepEqual(got.Names, want) {
			t.Errorf("the authors are %+v, want %v", got, want)
		}
	}
}
