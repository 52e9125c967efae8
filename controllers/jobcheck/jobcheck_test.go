// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package jobcheck_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/jobcheck"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestTemplate(t *testing.T) {
	for name, tc := range map[string]struct{ raw, says string }{
		"Good":         {`{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}`, ""},
		"None":         {``, ""},
		"UnknownField": {`{"spec":{"container":[]}}`, `unknown field "spec.container"`},
		"OtherCase":    {`{"Spec":{}}`, `unknown field "Spec"`},
		"Twice":        {`{"spec":{},"spec":{}}`, `duplicate field "spec"`},
		"WrongType":    {`{"spec":{"containers":"x"}}`, "cannot unmarshal"},
		"NoObject":     {`[]`, "cannot unmarshal"},
		"TooLarge":     {`{"metadata":{"annotations":{"a":"` + strings.Repeat("x", 32<<10) + `"}}}`, "and may have 32768"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := jobcheck.Template(&v1alpha1.JobCheck{Template: runtime.RawExtension{Raw: []byte(tc.raw)}})
			if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("got error %v, want %q", err, tc.says)
			}
			if name == "Good" && (got.Labels["a"] != "b" || got.Spec.Containers[0].Image != "i") {
				t.Errorf("it is read as %+v", got)
			}
		})
	}
}

// A name stands for one run of one check of one content, fits where it is used,
// and is the same each time.
func TestName(t *testing.T) {
	base := jobcheck.Run{Release: "shop", UID: "u", Check: "e2e", Digest: "sha256:0", Number: 1}
	seen := map[string]string{}
	for what, change := range map[string]func(*jobcheck.Run){
		"nothing": func(*jobcheck.Run) {}, "UID": func(r *jobcheck.Run) { r.UID = "v" }, "digest": func(r *jobcheck.Run) { r.Digest = "sha256:1" },
		"number": func(r *jobcheck.Run) { r.Number = 2 }, "round": func(r *jobcheck.Run) { r.Round = 1 }, "check": func(r *jobcheck.Run) { r.Check = "e3e" },
		"shifted": func(r *jobcheck.Run) { r.Release, r.Check = "shop-e2e", "e" },
		"long":    func(r *jobcheck.Run) { r.Release, r.Check = strings.Repeat("r", 40), strings.Repeat("c", 40) },
		"longer":  func(r *jobcheck.Run) { r.Release, r.Check = strings.Repeat("r", 40), strings.Repeat("c", 39)+"d" },
		"dashes":  func(r *jobcheck.Run) { r.Release = strings.Repeat("r", 33) + "--" },
	} {
		r := base
		change(&r)
		name := r.Name()
		if other, taken := seen[name]; taken {
			t.Errorf("%s and %s come to the same name", what, other)
		}
		seen[name] = what
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 || len(name) > 57 || name != r.Name() {
			t.Errorf("%s: %s, %v", what, name, problems)
		}
	}
	long := jobcheck.Run{Release: strings.Repeat("r", 40), Check: strings.Repeat("c", 40), Digest: "a"}
	other := long
	if other.Check = strings.Repeat("c", 39) + "d"; long.Name()[len(long.Name())-20:] == other.Name()[len(other.Name())-20:] {
		t.Errorf("checks whose names begin alike have one hash")
	}
}

func TestTargets(t *testing.T) {
	pods := []jobcheck.Target{{Pod: "a", IP: "10.0.0.1"}, {Pod: "b", IP: "fd00::2"}}
	text := jobcheck.Targets(pods)
	if got := jobcheck.Addresses(text); got != "10.0.0.1,fd00::2" {
		t.Errorf("the addresses are %s", got)
	}
	for what, tc := range map[string]struct {
		now   []jobcheck.Target
		still bool
	}{
		"the same": {pods, true}, "one more": {append([]jobcheck.Target{{Pod: "c", IP: "10.0.0.3"}}, pods...), true},
		"one less": {pods[:1], false}, "none": {nil, false},
		"another address": {[]jobcheck.Target{pods[0], {Pod: "b", IP: "10.0.0.9"}}, false},
		"another Pod":     {[]jobcheck.Target{pods[0], {Pod: "x", IP: "fd00::2"}}, false},
	} {
		if got := jobcheck.Still(text, tc.now); got != tc.still {
			t.Errorf("%s: %t", what, got)
		}
	}
	if jobcheck.Still("", pods) || jobcheck.Still("a=", pods) {
		t.Error("a Job that was aimed at nothing proves something")
	}
	if many := jobcheck.Targets(make([]jobcheck.Target, 1000)); strings.Count(many, "=") != 500 {
		t.Errorf("it is aimed at %d", strings.Count(many, "="))
	}
}

func TestEnvironment(t *testing.T) {
	rel := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "shop"}}
	rel.Spec.Services = []v1alpha1.ServiceRef{{Name: "shop"}, {Name: "api", Preview: "next"}}
	var got []string
	for _, e := range jobcheck.Environment(rel, v1alpha1.Green, "sha256:0", "a=10.0.0.1,b=10.0.0.2") {
		got = append(got, e.Name+"="+e.Value)
	}
	const want = "COUNTERSIGN_RELEASE=shop COUNTERSIGN_NAMESPACE=prod COUNTERSIGN_COLOUR=green COUNTERSIGN_DIGEST=sha256:0 " +
		"COUNTERSIGN_ADDRESSES=10.0.0.1,10.0.0.2 COUNTERSIGN_PREVIEWS=shop-preview.prod.svc,next.prod.svc"
	if text := strings.Join(got, " "); text != want {
		t.Errorf("it is %s, want %s", text, want)
	}
}
