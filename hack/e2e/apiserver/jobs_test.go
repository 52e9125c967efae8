// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// tested has a Job test the candidate, and more said of it.
func tested(more fieldsOf) func(*unstructured.Unstructured) {
	return checks("beforeSwitch", running(more))
}

// nowhere is a template whose Pods find no node.
var nowhere = fieldsOf{"spec": fieldsOf{
	"nodeSelector": fieldsOf{"example.com/none": "yes"},
	"containers":   []any{fieldsOf{"name": "test", "image": "registry/test:v1"}},
}}

// TestJobChecks is the life of a check that is a Job, run by the controller of
// Jobs; what plays kubelet lets every Pod of a Job succeed.
func TestJobChecks(t *testing.T) {
	s := openShop(t)
	t.Run("it is run once and passes", s.passesOnce)
	t.Run("it hangs", s.hangs)
	t.Run("it is deleted, given up and tried again", s.triedAgain)
	t.Run("a bad template is refused", s.badTemplates)
	t.Run("it goes with its Release", s.jobsGo)
}

func (s *shop) passesOnce(t *testing.T) {
	s.mustApply(t, "dev", s.manifest(t, "v1", tested(nil)))
	digest := s.awaitTested(t)
	jobs := s.jobs(t)
	if len(jobs) != 1 {
		t.Fatalf("there are %d Jobs", len(jobs))
	}
	env := environmentOf(t, &jobs[0])
	if env[v1alpha1.EnvDigest] != digest || env[v1alpha1.EnvAddresses] != s.addresses(t, "blue") || env[v1alpha1.EnvPreviews] != "shop-preview."+s.namespace+".svc" {
		t.Errorf("its environment is %v; want the addresses %s", env, s.addresses(t, "blue"))
	}
	c := s.check(t)
	if c.State != v1alpha1.CheckPassed || c.Job == nil || c.Job.Run != 1 || c.Job.UID != string(jobs[0].GetUID()) {
		t.Errorf("it is on record as %+v, %+v", c, c.Job)
	}
	if rel := s.release(t); rel.Status.Active != nil {
		t.Errorf("it was let through: %s", standing(rel))
	}
	s.mustVote(t, "alice", digest)
	s.mustVote(t, "bob", digest)
	s.awaitActive(t, digest)
	s.awaitStable(t)
}

func (s *shop) hangs(t *testing.T) {
	s.mustApply(t, "dev", s.manifest(t, "v2", tested(fieldsOf{"template": nowhere, "timeoutSeconds": int64(5)})))
	rel := s.await(t, "it is halted", func(r *v1alpha1.Release) bool { return r.Status.Phase == v1alpha1.PhaseHalted })
	c := s.check(t)
	if c.State != v1alpha1.CheckFailed || !strings.Contains(c.Message, "did not end within 5 seconds: its Pod ") ||
		!strings.Contains(c.Message, "cannot be scheduled") || s.selector(t) != "blue" {
		t.Errorf("it is %+v; %s", c, standing(rel))
	}
}

func (s *shop) triedAgain(t *testing.T) {
	s.mustApply(t, "dev", s.manifest(t, "v3", tested(fieldsOf{"template": nowhere})))
	digest := s.awaitCandidate(t)
	s.await(t, "the Job runs", func(r *v1alpha1.Release) bool {
		c := checkOf(r)
		return c != nil && c.Digest == digest && c.Job != nil && c.Job.UID != ""
	})
	first := s.check(t).Job
	t.Run("sec/22 nobody else deletes it", func(t *testing.T) {
		refused(t, "the bot", s.people["bot"].resource("jobs", s.namespace).Delete(within(t), first.Name, metav1.DeleteOptions{}), "'"+jobPolicy+"'", "which tests a candidate")
	})
	background := metav1.DeletePropagationBackground
	collector := s.impersonating(t, "admin", rest.ImpersonationConfig{
		UserName: "system:serviceaccount:kube-system:generic-garbage-collector", Groups: []string{"system:masters"},
	})
	if err := collector.resource("jobs", s.namespace).Delete(within(t), first.Name, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
	s.await(t, "it is run again", func(r *v1alpha1.Release) bool { c := checkOf(r); return c.Job.Run == 2 && c.Job.UID != "" })
	if err := s.annotate(t, "dev", v1alpha1.AbortAnnotation, digest); err != nil {
		t.Fatal(err)
	}
	s.await(t, "it is given up", func(r *v1alpha1.Release) bool { return r.Status.Phase == v1alpha1.PhaseHalted })
	s.awaitJobs(t, func(jobs []unstructured.Unstructured) bool { return !hasJob(jobs, s.check(t).Job.Name) })
	if err := s.annotate(t, "dev", v1alpha1.RetryAnnotation, digest); err != nil {
		t.Fatal(err)
	}
	s.await(t, "another Job runs", func(r *v1alpha1.Release) bool {
		c := checkOf(r)
		return c != nil && c.Digest != digest && c.Job != nil && c.Job.UID != "" && c.Job.Run == 1
	})
}

func (s *shop) badTemplates(t *testing.T) {
	for says, template := range map[string]fieldsOf{
		`job.template is no Pod template (unknown field "spec.container")`: {"spec": fieldsOf{"container": "x"}},
		"job.template.metadata.labels has countersign.dev/colour":          {"metadata": fieldsOf{"labels": fieldsOf{"countersign.dev/colour": "blue"}}, "spec": fieldsOf{"containers": []any{fieldsOf{"name": "a", "image": "b"}}}},
	} {
		refused(t, says, s.apply(t, "dev", s.manifest(t, "v3", tested(fieldsOf{"template": template}))), says)
	}
}

func (s *shop) jobsGo(t *testing.T) {
	if err := s.admin.resource("releases", s.namespace).Delete(within(t), shopName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.awaitJobs(t, func(jobs []unstructured.Unstructured) bool { return len(jobs) == 0 })
}

func (s *shop) jobs(t testing.TB) []unstructured.Unstructured {
	t.Helper()
	list, err := s.admin.resource("jobs", s.namespace).List(within(t), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func (s *shop) awaitJobs(t testing.TB, done func([]unstructured.Unstructured) bool) {
	t.Helper()
	eventually(t, "the Jobs are gone", func() string {
		jobs := s.jobs(t)
		if done(jobs) {
			return ""
		}
		var names []string
		for i := range jobs {
			names = append(names, jobs[i].GetName())
		}
		return "there are " + strings.Join(names, ", ")
	})
}

func hasJob(jobs []unstructured.Unstructured, name string) bool {
	return slices.ContainsFunc(jobs, func(o unstructured.Unstructured) bool { return o.GetName() == name })
}

func checkOf(rel *v1alpha1.Release) *v1alpha1.CheckStatus {
	for i := range rel.Status.Checks {
		if rel.Status.Checks[i].Name == "e2e" {
			return &rel.Status.Checks[i]
		}
	}
	return nil
}

func (s *shop) check(t testing.TB) v1alpha1.CheckStatus {
	t.Helper()
	rel := s.release(t)
	c := checkOf(rel)
	if c == nil {
		t.Fatalf("there is no check e2e: %s", standing(rel))
	}
	return *c
}

func environmentOf(t testing.TB, job *unstructured.Unstructured) map[string]string {
	t.Helper()
	list, _, err := unstructured.NestedSlice(job.Object, "spec", "template", "spec", "containers")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, e := range list[0].(map[string]any)["env"].([]any) {
		value, _, _ := unstructured.NestedString(e.(map[string]any), "value")
		env[e.(map[string]any)["name"].(string)] = value
	}
	return env
}

// addresses of the Pods of a colour, in the order of their names.
func (s *shop) addresses(t testing.TB, colour string) string {
	t.Helper()
	list, err := s.admin.resource("pods", s.namespace).List(within(t), metav1.ListOptions{LabelSelector: v1alpha1.ColourLabel + "=" + colour})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(list.Items, func(a, b unstructured.Unstructured) int { return strings.Compare(a.GetName(), b.GetName()) })
	var ips []string
	for i := range list.Items {
		ip, _, _ := unstructured.NestedString(list.Items[i].Object, "status", "podIP")
		ips = append(ips, ip)
	}
	return strings.Join(ips, ",")
}
