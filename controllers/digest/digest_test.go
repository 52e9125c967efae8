// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package digest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/digest"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The whole of the input is covered but for this list, which doc.go gives too.
func TestEverythingIsCovered(t *testing.T) {
	t.Run("sec/09 Of", func(t *testing.T) {
		in := digest.Input{Cluster: "c", Namespace: "n", Name: "r", UID: "u", Sequence: 1}
		covers(t, in, digest.Of, ".Spec.Template", ".Spec.Replicas", ".Spec.PreviewReplicas", ".Spec.DisruptionBudget", ".Spec.RevisionHistoryLimit", ".Spec.Paused", ".Services.Ports.NodePort",
			".Policies.Windows", ".Policies.Hold", ".Policies.BreakGlass")
	})
	t.Run("sec/09 Revision", func(t *testing.T) {
		covers(t, v1alpha1.ReleaseSpec{}, digest.Revision, ".Replicas", ".PreviewReplicas", ".DisruptionBudget", ".RevisionHistoryLimit", ".Paused")
	})
	t.Run("sec/11 ContentRevision", func(t *testing.T) {
		type content struct{ Config []v1alpha1.ConfigCopy }
		sum := func(c content) (string, error) { return digest.ContentRevision("0123456789abcdef", c.Config) }
		if got := must(t)(sum(content{})); got != "0123456789abcdef" {
			t.Errorf("without any it is %s, not the spec's", got)
		}
		one := make([]v1alpha1.ConfigCopy, 1)
		if a, b := must(t)(sum(content{one})), must(t)(digest.ContentRevision("0123456789abcdee", one)); a == b || len(a) != 32 {
			t.Errorf("%s and %s", a, b)
		}
		covers(t, content{}, sum)
	})
	t.Run("sec/09 TemplateHash", func(t *testing.T) { covers(t, corev1.PodTemplateSpec{}, digest.TemplateHash) })
}

// An empty object is not the same as none.
func TestEmptyObjectsAreContent(t *testing.T) {
	for name, set := range map[string]func(*corev1.PodSpec){
		"EmptyDir":          func(s *corev1.PodSpec) { s.Volumes[0].EmptyDir = &corev1.EmptyDirVolumeSource{} },
		"SecurityContext":   func(s *corev1.PodSpec) { s.SecurityContext = &corev1.PodSecurityContext{} },
		"NamespaceSelector": func(s *corev1.PodSpec) { s.Affinity = &corev1.Affinity{} },
	} {
		without, with := shop(), shop()
		without.Template.Spec.Volumes, with.Template.Spec.Volumes = []corev1.Volume{{Name: "v"}}, []corev1.Volume{{Name: "v"}}
		set(&with.Template.Spec)
		if of(t, without) == of(t, with) {
			t.Errorf("%s: an empty object is not covered", name)
		}
	}
}

// The digest is of just the text in testdata, which was written by another
// program than this package, as were the values here. If this test fails, what
// is covered has changed: all votes become void, and the version in the kind has
// to grow.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/shop.json")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("sec/38 the digest is the sum of what anybody can write down", func(t *testing.T) {
		sum := sha256.Sum256([]byte(strings.TrimSuffix(string(text), "\n")))
		if got, want := of(t, shop()), "sha256:"+hex.EncodeToString(sum[:]); got != want {
			t.Errorf("the digest is %s, the text has %s", got, want)
		}
	})
	for what, tc := range map[string]struct{ got, want string }{
		"digest":        {of(t, shop()), "sha256:3511c1a0b9734c36e19fae3f1aec98e23b07280f93ea77f194615161fad61f9c"},
		"revision":      {must(t)(digest.Revision(shop().Spec)), "5eae200d61d84eb331aa7cf26903c32f"},
		"template hash": {must(t)(digest.TemplateHash(shop().Template)), "sha256:3ed527da9ffdbaff0cabd6435cb70372384031e467b807af2635c509cc15db89"},
	} {
		t.Run("sec/38 "+what, func(t *testing.T) {
			if tc.got != tc.want {
				t.Errorf("got %s, want %s", tc.got, tc.want)
			}
		})
	}
}

func TestForms(t *testing.T) {
	for what, tc := range map[string]struct{ got, form string }{
		"digest":        {of(t, shop()), "^sha256:[0-9a-f]{64}$"},
		"revision":      {must(t)(digest.Revision(shop().Spec)), "^[0-9a-f]{32}$"},
		"template hash": {must(t)(digest.TemplateHash(shop().Template)), "^sha256:[0-9a-f]{64}$"},
	} {
		if !regexp.MustCompile(tc.form).MatchString(tc.got) {
			t.Errorf("%s is %s", what, tc.got)
		}
	}
	if decision, d, err := approval.ParseVote(of(t, shop())); decision != approval.Approve || d != of(t, shop()) || err != nil {
		t.Errorf("a digest is no vote: %v", err)
	}
}

// The colour is not content: the same template has one hash in both colours, and
// labels of others under the operator's domain are covered.
func TestOwnLabels(t *testing.T) {
	blue, green, bare := shop(), shop(), shop()
	for _, at := range []struct {
		in     *digest.Input
		colour string
	}{{&blue, "blue"}, {&green, "green"}} {
		at.in.Template.Labels[v1alpha1.ReleaseLabel] = "shop-" + at.colour
		at.in.Template.Labels[v1alpha1.ColourLabel] = at.colour
		at.in.Template.Labels[v1alpha1.RevisionLabel] = at.colour
	}
	if of(t, blue) != of(t, bare) || of(t, green) != of(t, bare) {
		t.Error("the digest depends on the colour")
	}
	if must(t)(digest.TemplateHash(blue.Template)) != must(t)(digest.TemplateHash(green.Template)) {
		t.Error("the template hash depends on the colour")
	}
	if blue.Template.Labels[v1alpha1.ColourLabel] != "blue" {
		t.Error("the input was changed")
	}
	bare.Template.Labels[v1alpha1.RoleLabel] = "active"
	if of(t, blue) == of(t, bare) {
		t.Error("another label is not covered")
	}
	own := corev1.PodTemplateSpec{}
	own.Labels = map[string]string{v1alpha1.ColourLabel: "blue"}
	if must(t)(digest.TemplateHash(own)) != must(t)(digest.TemplateHash(corev1.PodTemplateSpec{})) {
		t.Error("no labels but the operator's own is not the same as none")
	}
}

// A restart is no content. What is no number of one is.
func TestRestarts(t *testing.T) {
	with := func(value string) digest.Input {
		in := shop()
		in.Template.Annotations = map[string]string{v1alpha1.RestartsAnnotation: value}
		return in
	}
	hash := must(t)(digest.TemplateHash(shop().Template))
	for value, isContent := range map[string]bool{
		"1": false, "1796000000": false, "999999999999999999": false,
		"": true, "0": true, "-1": true, "+1": true, "01": true, "1.0": true, "1000000000000000000": true, "99999999999999999999": true, "evil": true, "1 evil": true,
	} {
		in := with(value)
		if covered := of(t, in) != of(t, shop()); covered != isContent {
			t.Errorf("%q is covered by the digest: %t, want %t", value, covered, isContent)
		}
		if covered := must(t)(digest.TemplateHash(in.Template)) != hash; covered != isContent {
			t.Errorf("%q is covered by the template hash: %t, want %t", value, covered, isContent)
		}
		if in.Template.Annotations[v1alpha1.RestartsAnnotation] != value {
			t.Error("the input was changed")
		}
	}
	in := with("1")
	in.Template.Annotations["a"] = "b"
	if of(t, in) == of(t, shop()) {
		t.Error("another annotation is not covered")
	}
}

func TestNodePortIsLeftInPlace(t *testing.T) {
	in := shop()
	in.Services[0].Ports[0].NodePort = 30080
	if of(t, in) != of(t, shop()) {
		t.Error("the nodePort is covered")
	}
	if in.Services[0].Ports[0].NodePort != 30080 {
		t.Error("the input was changed")
	}
}

// What identifies the object and the candidate is never taken from absence.
func TestOfRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		set func(*digest.Input)
		err string
	}{
		"NoCluster":       {func(in *digest.Input) { in.Cluster = "" }, "the cluster id is not known"},
		"NoNamespace":     {func(in *digest.Input) { in.Namespace = "" }, "the namespace is not known"},
		"NoName":          {func(in *digest.Input) { in.Name = "" }, "the name is not known"},
		"NoUID":           {func(in *digest.Input) { in.UID = "" }, "the uid is not known"},
		"NoSequence":      {func(in *digest.Input) { in.Sequence = 0 }, "the sequence number is 0"},
		"IntegerTooLarge": {func(in *digest.Input) { in.Template.Spec.TerminationGracePeriodSeconds = new(int64(1<<53 + 1)) }, "too large"},
		"NotUTF8":         {func(in *digest.Input) { in.Template.Spec.Hostname = "\xff" }, "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			in := shop()
			tc.set(&in)
			if got, err := digest.Of(in); got != "" || err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got %q, %v, want an error that says %q", got, err, tc.err)
			}
		})
	}
	in := shop()
	in.Sequence = 1<<62 + 1
	if of(t, in) == of(t, func() digest.Input { in.Sequence++; return in }()) {
		t.Error("large sequence numbers share a digest")
	}
}

// shop is a Release as people write it, on a cluster that defaulted it.
func shop() digest.Input {
	template := corev1.PodTemplateSpec{}
	template.Labels = map[string]string{"app": "shop", "a": "ü <&>"}
	template.Spec = corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "init"}},
		Volumes:        []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{}}}}},
		Containers: []corev1.Container{{
			Name: "shop", Image: "registry/shop@sha256:" + strings.Repeat("0", 64),
			Ports:     []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}},
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}},
		}},
		RestartPolicy: corev1.RestartPolicyAlways, TerminationGracePeriodSeconds: new(int64(30)),
	}
	return digest.Input{
		Cluster: "cluster-1", Namespace: "prod", Name: "shop", UID: "7c1f", Sequence: 3, Template: template,
		Services: []digest.Service{{Name: "shop", Preview: "shop-preview", Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http"), Protocol: corev1.ProtocolTCP}}}},
		Spec: v1alpha1.ReleaseSpec{
			Replicas: new(int32(3)), Template: template, Services: []v1alpha1.ServiceRef{{Name: "shop"}}, ObserveSeconds: 600, KeepIdleSeconds: new(int32(0)),
			Checks: &v1alpha1.Checks{BeforeSwitch: []v1alpha1.Check{{Name: "smoke", HTTP: &v1alpha1.HTTPCheck{Path: "/healthz", Port: intstr.FromString("http")}, PeriodSeconds: 5}}},
		},
		Policies: []approval.Policy{{Name: "prod", ValidFor: 24 * time.Hour, Rules: []approval.Rule{{Name: "qa", Count: 1, Groups: []string{"oidc:qa"}}}}},
	}
}

func must(t testing.TB) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func of(t testing.TB, in digest.Input) string { return must(t)(digest.Of(in)) }

func BenchmarkOf(b *testing.B) {
	in := shop()
	b.ReportAllocs()
	for b.Loop() {
		of(b, in)
	}
}

func BenchmarkTemplateHash(b *testing.B) {
	in := shop()
	for b.Loop() {
		must(b)(digest.TemplateHash(in.Template))
	}
}
