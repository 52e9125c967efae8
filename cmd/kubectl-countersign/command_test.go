// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/cmd/kubectl-countersign/show"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

var other = "sha256:" + strings.Repeat("2", 64)

func (s *terminal) release(t *testing.T) *v1alpha1.Release {
	t.Helper()
	rel := &v1alpha1.Release{}
	if err := s.client.Get(context.Background(), client.ObjectKey{Namespace: "shop", Name: "shop"}, rel); err != nil {
		t.Fatal(err)
	}
	return rel
}

// wants runs a command and wants it to fail, or not, and to say all of it.
func (s *terminal) wants(t *testing.T, input io.Reader, args string, well bool, says ...string) {
	t.Helper()
	out, err := s.run(input, strings.Fields(args)...)
	if err != nil {
		out += err.Error()
	}
	if well != (err == nil) {
		t.Errorf("%s ended well: %t, want %t\n%s", args, err == nil, well, out)
	}
	for _, part := range says {
		if !strings.Contains(out, part) {
			t.Errorf("%s says\n%s\nwant %q", args, out, part)
		}
	}
}

// while does something just before it answers.
type while struct {
	io.Reader
	do func()
}

func (w while) Read(p []byte) (int, error) {
	if w.do != nil {
		w.do()
	}
	return w.Reader.Read(p)
}

func TestVote(t *testing.T) {
	digest := sit(t, scene(t, "waiting")).release(t).Status.Candidate.Digest
	answer := func(s string) io.Reader { return strings.NewReader(s) }
	change := func(s *terminal, change func(*v1alpha1.Release)) {
		rel := s.release(t)
		change(rel)
		if err := s.client.Update(context.Background(), rel); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name    string
		asks    bool
		prepare func(*terminal) io.Reader
		args    string
		// vote that is there in the end; empty if it is the one from before.
		vote string
		says []string
	}{
		{name: "named", args: "approve shop --digest " + digest, vote: digest, says: []string{"bob@example.com approves " + digest, "kubectl countersign withdraw shop -n shop"}},
		{name: "rejected", args: "reject shop --digest " + digest, vote: "reject:" + digest},
		{name: "no terminal", args: "approve shop", says: []string{"there is no terminal to ask on", "kubectl countersign approve shop -n shop --digest " + digest},
			prepare: func(*terminal) io.Reader { return answer("y\n") }},
		{name: "asked", asks: true, args: "approve shop", vote: digest, says: []string{"demoapp:v2", "Approve " + digest},
			prepare: func(*terminal) io.Reader { return answer("y\n") }},
		{name: "no", asks: true, args: "approve shop", says: []string{"nothing was voted on"}, prepare: func(*terminal) io.Reader { return answer("n\n") }},
		{name: "no answer", asks: true, args: "approve shop", says: []string{"nothing was voted on"}, prepare: func(*terminal) io.Reader { return answer("") }},
		{name: "another digest", args: "approve shop --digest " + other, says: []string{"is not the candidate, which is " + digest, "kubectl countersign diff shop -n shop"}},
		{name: "the beginning of a digest", args: "approve shop --digest " + digest[:20], says: []string{"is not the candidate"}},
		{name: "changed meanwhile", asks: true, args: "approve shop", says: []string{"it changed meanwhile", other},
			prepare: func(s *terminal) io.Reader {
				return while{answer("y\n"), func() { change(s, func(rel *v1alpha1.Release) { rel.Status.Candidate.Digest = other }) }}
			}},
		{name: "a spec that the operator has not seen", args: "approve shop --digest " + digest, says: []string{"has no digest yet", "--watch"},
			prepare: func(s *terminal) io.Reader {
				change(s, func(rel *v1alpha1.Release) { rel.Generation++ })
				return nil
			}},
		{name: "given up", args: "approve shop --digest " + digest, says: []string{"was given up (CheckFailed)"},
			prepare: func(s *terminal) io.Reader {
				change(s, func(rel *v1alpha1.Release) {
					rel.Status.Candidate.Halted = &v1alpha1.HaltedStatus{Reason: v1alpha1.ReasonCheckFailed}
				})
				return nil
			}},
		{name: "a template that is not the digest's", args: "approve shop --digest " + digest, says: []string{"the digest is not that of what stands there", "kubectl annotate release shop"},
			prepare: func(s *terminal) io.Reader { s.tamper(t); return nil }},
		{name: "rejected all the same", args: "reject shop --digest " + digest, vote: "reject:" + digest, prepare: func(s *terminal) io.Reader { s.tamper(t); return nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := sit(t, scene(t, "waiting"))
			s.asks = row.asks
			before := s.release(t).Annotations[v1alpha1.VotePrefix+"bob"]
			var input io.Reader = strings.NewReader("")
			if row.prepare != nil {
				if in := row.prepare(s); in != nil {
					input = in
				}
			}
			s.wants(t, input, row.args, row.vote != "", row.says...)
			want := row.vote
			if want == "" {
				want = before
			}
			if got := s.release(t).Annotations[v1alpha1.VotePrefix+"bob"]; got != want {
				t.Errorf("bob's vote is %q, want %q", got, want)
			}
		})
	}
}

// tamper changes what stands in the candidate's colour.
func (s *terminal) tamper(t *testing.T) {
	t.Helper()
	d := &appsv1.Deployment{}
	if err := s.client.Get(context.Background(), client.ObjectKey{Namespace: "shop", Name: "shop-green"}, d); err != nil {
		t.Fatal(err)
	}
	d.Spec.Template.Spec.Containers[0].Image = "evil"
	if err := s.client.Update(context.Background(), d); err != nil {
		t.Fatal(err)
	}
}

func TestSlotOfTheVoter(t *testing.T) {
	s := sit(t, scene(t, "waiting"))
	digest := s.release(t).Status.Candidate.Digest
	s.person = show.Person{User: "alice@elsewhere.example.com"} // alice's slot is another's
	s.wants(t, nil, "approve shop --digest "+digest, true, "in slot alice-elsewhere.example.com")
	s.wants(t, nil, "withdraw shop", false, "has no vote on Release shop") // nobody signed it here
	s.person = bob
	s.wants(t, nil, "comment shop -m fine", true, "in slot bob")
	s.wants(t, nil, "withdraw shop", true, "slot bob of Release shop is withdrawn")
	if rel := s.release(t); rel.Annotations[v1alpha1.CommentPrefix+"bob"] != "fine" || rel.Annotations[v1alpha1.VotePrefix+"bob"] != "" {
		t.Errorf("annotations are %v", rel.Annotations)
	}
}

func TestRequests(t *testing.T) {
	for _, row := range []struct {
		name, scene string
		change      func(*v1alpha1.Release)
		args        string
		key, value  string
		says        string
	}{
		{"the content before", "waiting", former, "rollback shop", v1alpha1.RollbackAnnotation, active, "to " + other},
		{"irreversible", "waiting", func(rel *v1alpha1.Release) { former(rel); rel.Status.Active.Irreversible = true }, "rollback shop", "", "", "kubectl countersign rollback shop -n shop --irreversible"},
		{"irreversible, and known", "waiting", func(rel *v1alpha1.Release) { former(rel); rel.Status.Active.Irreversible = true }, "rollback shop --irreversible", v1alpha1.RollbackAnnotation, "irreversible:" + active, "to " + other},
		{"nothing kept", "waiting", nil, "rollback shop", "", "", "keeps nothing to go back to"},
		{"kept, by epoch", "waiting", kept, "rollback shop --to 7", v1alpha1.RollbackAnnotation, active + "/" + other, "to " + other},
		{"kept, by digest", "waiting", kept, "rollback shop --to sha256:222222", v1alpha1.RollbackAnnotation, active + "/" + other, "to " + other},
		{"kept, by too little", "waiting", kept, "rollback shop --to 22222", "", "", "is 0 of the contents that are kept"},
		{"kept, unnamed", "waiting", kept, "rollback shop", "", "", "kubectl countersign history shop -n shop"},
		{"what serves", "waiting", kept, "rollback shop --to 1", "", "", "is what serves"},
		{"nothing serves", "waiting", func(rel *v1alpha1.Release) { rel.Status.Active = nil }, "rollback shop", "", "", "nothing was let through"},
		{"abort", "waiting", nil, "abort shop", v1alpha1.AbortAnnotation, candidate, "Asked to give up"},
		{"retry", "waiting", nil, "retry shop", v1alpha1.RetryAnnotation, candidate, "Asked to try again"},
		{"no candidate", "waiting", func(rel *v1alpha1.Release) { rel.Status.Candidate = nil }, "abort shop", "", "", "has no candidate"},
		{"restart", "waiting", nil, "restart shop", v1alpha1.RestartAnnotation, active + "/1", "Pods of blue anew"},
		{"pause", "waiting", nil, "pause shop", "paused", "true", "spec.paused is true"},
		{"resume", "waiting", nil, "resume shop", "paused", "false", "spec.paused is false already"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := sit(t, scene(t, row.scene))
			rel := s.release(t)
			st := rel.Status
			fill := strings.NewReplacer(active, st.Active.Digest, candidate, st.Candidate.Digest)
			if row.change != nil {
				row.change(rel)
				if err := s.client.Update(context.Background(), rel); err != nil {
					t.Fatal(err)
				}
			}
			s.wants(t, nil, row.args, row.key != "", row.says)
			got := map[string]string{"paused": map[bool]string{true: "true", false: "false"}[s.release(t).Spec.Paused]}
			for _, key := range []string{v1alpha1.RollbackAnnotation, v1alpha1.AbortAnnotation, v1alpha1.RetryAnnotation, v1alpha1.RestartAnnotation} {
				got[key] = s.release(t).Annotations[key]
			}
			if want := fill.Replace(row.value); row.key != "" && got[row.key] != want {
				t.Errorf("%s is %q, want %q", row.key, got[row.key], want)
			}
			if row.key == "" && got[v1alpha1.RollbackAnnotation]+got[v1alpha1.AbortAnnotation] != "" {
				t.Errorf("it asked all the same: %v", got)
			}
		})
	}
}

// What stands for digests of the scene.
const active, candidate = "ACTIVE", "CANDIDATE"

func former(rel *v1alpha1.Release) {
	rel.Status.Former = &v1alpha1.FormerStatus{Content: v1alpha1.Content{Colour: v1alpha1.Green, Digest: other}}
}

func kept(rel *v1alpha1.Release) {
	rel.Status.Kept = append(rel.Status.Kept, v1alpha1.KeptContent{Digest: other, Revision: "shop-2", Epoch: 7})
}

// TestTrouble: what keeps the plugin from its work is told with what to do.
func TestTrouble(t *testing.T) {
	releases := schema.GroupResource{Group: "countersign.dev", Resource: "releases"}
	forbidden := func(resource string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "shop", errors.New(`User "bob@example.com" cannot get resource "`+resource+`" in API group "" in the namespace "shop"`))
	}
	unknown := apierrors.NewGenericServerResponse(404, "get", releases, "shop", "404 page not found", 0, true)
	// failing is a client that cannot get Releases, or can get nothing but Releases.
	failing := func(wanted client.Object, err error) interceptor.Funcs {
		return interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			_, release := o.(*v1alpha1.Release)
			_, wantsRelease := wanted.(*v1alpha1.Release)
			if release == wantsRelease {
				return err
			}
			return c.Get(ctx, key, o, opts...)
		}}
	}
	denied := interceptor.Funcs{Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
		return apierrors.NewForbidden(releases, "shop", errors.New(`User "bob@example.com" cannot patch resource "releases"`))
	}}
	silent := interceptor.Funcs{Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
		return apierrors.NewInternalError(errors.New(`failed calling webhook "releases.countersign.dev": connection refused`))
	}}
	for _, row := range []struct {
		name  string
		funcs interceptor.Funcs
		args  string
		well  bool
		says  []string
	}{
		{"not installed", failing(&v1alpha1.Release{}, unknown), "status shop", false, []string{"Countersign is not installed", "kubectl apply --server-side -k config/default"}},
		{"an expired login", failing(&v1alpha1.Release{}, apierrors.NewUnauthorized("Unauthorized")), "status shop", false, []string{"log in again", "kubectl auth whoami"}},
		{"a login that cannot be had", failing(&v1alpha1.Release{}, errors.New("getting credentials: exec: exit status 1")), "status shop", false, []string{"log in again"}},
		{"no right to look", failing(&v1alpha1.Release{}, forbidden("releases")), "status shop", false,
			[]string{"you may not get releases in namespace shop", "kubectl create rolebinding bob-release-viewer -n shop --clusterrole=release-viewer --user=bob@example.com"}},
		{"no right to look further", failing(&appsv1.Deployment{}, forbidden("deployments")), "status shop", true, []string{"AwaitingApproval", "ask for ClusterRole view"}},
		{"no right to write", denied, "abort shop", false, []string{"you may not patch releases", "--clusterrole=release-approver --user=bob@example.com"}},
		{"a webhook that is silent", silent, "rollback shop --to 7", false, []string{"the webhook does not answer", "kubectl delete mutatingwebhookconfiguration countersign"}},
		{"no such cluster", failing(&v1alpha1.Release{}, errors.New("dial tcp: connection refused")), "status shop", false, []string{"kubectl cluster-info"}},
		{"no such Release", interceptor.Funcs{}, "status shap", false, []string{"there is no Release shap in namespace shop, which has shop"}},
		{"no name", interceptor.Funcs{}, "diff", false, []string{"kubectl countersign diff RELEASE"}},
		{"no such form", interceptor.Funcs{}, "status -o xml", false, []string{"it is json, yaml or wide"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := sit(t, scene(t, "waiting"))
			rel := s.release(t)
			kept(rel)
			if err := s.client.Update(context.Background(), rel); err != nil {
				t.Fatal(err)
			}
			s.client = interceptor.NewClient(s.client, row.funcs)
			s.wants(t, nil, row.args, row.well, row.says...)
		})
	}
}

// TestOlderOperator: what its status lacks is said, not taken for nothing.
func TestOlderOperator(t *testing.T) {
	s := sit(t, scene(t, "waiting"))
	rel := s.release(t)
	rel.Status.Candidate.Size, rel.Generation = "", rel.Generation+1
	if err := s.client.Update(context.Background(), rel); err != nil {
		t.Fatal(err)
	}
	s.wants(t, nil, "status shop", true, "status.candidate.size is missing", "older than this plugin", "has not looked at the newest spec yet")
	rel = s.release(t)
	rel.Status = v1alpha1.ReleaseStatus{}
	rel.Generation = 1
	rel.CreationTimestamp = metav1.Time{}
	if err := s.client.Update(context.Background(), rel); err != nil {
		t.Fatal(err)
	}
	s.wants(t, nil, "status shop", true, "the operator has not looked at it yet", "kubectl get deployments -n countersign-system")
}

// onWrite is told of all that was written so far.
type onWrite struct {
	all  strings.Builder
	told func(all string)
}

func (w *onWrite) Write(p []byte) (int, error) {
	n, err := w.all.Write(p)
	w.told(w.all.String())
	return n, err
}

// TestWatch: a change is written when it comes, and what is no change is not.
func TestWatch(t *testing.T) {
	s := sit(t, scene(t, "waiting"))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	changed := false
	change := func(change func(*v1alpha1.Release)) {
		rel := s.release(t)
		change(rel)
		if err := s.client.Update(ctx, rel); err != nil {
			t.Error(err)
		}
	}
	out := &onWrite{told: func(all string) {
		switch {
		case strings.Contains(all, "Paused"):
			cancel()
		case !changed:
			changed = true
			change(func(rel *v1alpha1.Release) { rel.Labels = map[string]string{"example.com/nothing": "to see"} })
			change(func(rel *v1alpha1.Release) { rel.Status.Phase = v1alpha1.PhasePaused })
		}
	}}
	if err := s.runTo(ctx, out, nil, "status", "shop", "--watch"); err != nil {
		t.Fatal(err)
	}
	if all := out.all.String(); strings.Count(all, "Release shop in namespace shop") != 2 || strings.Count(all, "---\n") != 1 || !strings.Contains(all, "Paused") {
		t.Errorf("it says\n%s", all)
	}
}
