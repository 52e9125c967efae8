// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"slices"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// station in a life of a Release: how it comes there, and what has to be said of it.
type station struct {
	name string
	// enter brings one shop there.
	enter func(*testing.T, *tool)
	// argocd and flux are the verdicts that are wanted.
	argocd, flux string
	// actions that Argo CD has to offer. Nil: not looked at.
	actions []string
	// between is done once for all shops, before they enter.
	between func(*testing.T)
}

// TestEngines takes a Release through its life in the hands of each engine, and syncs
// it again and again wherever it is.
func TestEngines(t *testing.T) {
	tools := openTools(t)
	var lost losses
	var count int
	for _, s := range stations(t) {
		if s.between != nil {
			s.between(t)
		}
		lines := make([]string, len(tools))
		lose := make([]losses, len(tools))
		passed := t.Run(s.name, func(t *testing.T) {
			for i, e := range tools {
				t.Run(e.name+" "+e.mode, func(t *testing.T) {
					t.Parallel()
					lines[i] = fmt.Sprintf("%s %s %s NOT in sync", e.name, e.mode, s.name)
					s.enter(t, e)
					lines[i] = e.visit(t, s, &lose[i])
				})
			}
		})
		count++
		for i := range tools {
			fmt.Println(reportMark + lines[i])
			lost.diffs += lose[i].diffs
			lost.votes += lose[i].votes
		}
		if !passed {
			break // what follows builds on it
		}
	}
	if !t.Failed() {
		whole.operator.startController(t)
		for _, e := range tools {
			e.gone(t)
		}
	}
	verdict := "ok"
	if t.Failed() {
		verdict = "FAILED"
	}
	fmt.Printf("%sgitops: %s engines=%d phases=%d diffs=%d lost_votes=%d\n", reportMark, verdict, len(tools), count, lost.diffs, lost.votes)
}

// gone waits until a pruned Release is, and wants its Service to lead where it led.
func (e *tool) gone(t *testing.T) {
	t.Helper()
	eventually(t, "the Release of "+e.name+" "+e.mode+" is gone", func() string {
		if len(e.list(t, "releases")) > 0 {
			return "it is there"
		}
		return ""
	})
	if got := e.selector(t); got != "blue" {
		t.Errorf("after %s %s pruned the Release, its Service leads to %q", e.name, e.mode, got)
	}
}

// visit syncs and judges at a station, and returns its line of the report.
func (e *tool) visit(t *testing.T, s station, lost *losses) string {
	t.Helper()
	want := s.argocd
	if e.name == "flux" {
		want = s.flux
	}
	got, actions := e.judged(t)
	if got != want {
		t.Errorf("%q is said; want %q of %s", got, want, standing(e.release(t)))
	}
	if s.actions != nil && e.name == "argocd" && !slices.Equal(actions, s.actions) {
		t.Errorf("%v can be done; want %v", actions, s.actions)
	}
	e.keepsInSync(t, lost)
	if again, _ := e.judged(t); again != want {
		t.Errorf("after the syncs %q is said; want %q of %s", again, want, standing(e.release(t)))
	}
	state := "in sync"
	if t.Failed() {
		state = "NOT in sync"
	}
	return fmt.Sprintf("%s %s %s %s, %s", e.name, e.mode, s.name, state, got)
}

// stations of a life, in their order.
func stations(t *testing.T) []station {
	inProgress := "kstatus InProgress, ready-when-released InProgress, ready-while-people-decide InProgress"
	failed := "kstatus Failed, ready-when-released Failed, ready-while-people-decide Failed"
	current := "kstatus Current, ready-when-released Current, ready-while-people-decide Current"
	waits := "kstatus Current, ready-when-released InProgress, ready-while-people-decide Current"
	waitsFirst := "kstatus InProgress, ready-when-released InProgress, ready-while-people-decide Current"
	var gate, services func()
	return []station{{
		name: "Preparing", argocd: "health Progressing", flux: inProgress, actions: []string{"abort", "pause"},
		enter: func(t *testing.T, e *tool) {
			e.push(t, "v1", behalf, set("spec.template.metadata.annotations", map[string]any{"local.countersign.dev/unready": "true"}))
			e.await(t, "it is prepared", in(v1alpha1.PhasePreparing))
			e.seesDrift(t)
		},
	}, {
		name: "Testing", argocd: "health Progressing", flux: inProgress,
		enter: func(t *testing.T, e *tool) {
			e.push(t, "v1", behalf, tested(fieldsOf{"template": nowhere}))
			e.await(t, "it is tested", in(v1alpha1.PhaseTesting))
		},
	}, {
		name: "AwaitingApproval(first)", argocd: "health Suspended", flux: waitsFirst,
		enter: func(t *testing.T, e *tool) {
			e.push(t, "v1", behalf)
			digest := e.awaitTested(t)
			refused(t, "dev, for whom it was written", e.vote(t, "dev", "dev", digest), "changed the content")
			e.mustVote(t, "alice", digest)
			if err := e.annotate(t, "alice", v1alpha1.CommentPrefix+"alice", "CHG-481"); err != nil {
				t.Fatal(err)
			}
			e.await(t, "it counts, and nobody more is asked for", approvals("1/2"))
			if e.name == "argocd" && e.mode != "replace" {
				e.waves(t, "waiting for healthy state of countersign.dev/Release/shop")
			}
		},
	}, {
		name: "Paused(first)", argocd: "health Suspended", flux: waitsFirst, actions: []string{"abort", "resume"},
		enter: func(t *testing.T, e *tool) {
			digest := e.release(t).Status.Candidate.Digest
			e.push(t, "v1", behalf, set("spec.paused", true))
			e.await(t, "it is paused", in(v1alpha1.PhasePaused))
			e.mustVote(t, "bob", digest)
			e.awaitApproved(t, v1alpha1.ReasonQuorumMet)
		},
	}, {
		name: "GateFrozen", argocd: "health Degraded", flux: failed,
		between: func(t *testing.T) { gate = held(t, whole.withoutBinding) },
		enter: func(t *testing.T, e *tool) {
			e.push(t, "v1", behalf)
			e.awaitApproved(t, v1alpha1.ReasonGateFrozen)
			e.await(t, "it stalls", stalled(v1alpha1.ReasonGateFrozen))
		},
	}, {
		name: "Switching", argocd: "health Progressing", flux: inProgress,
		between: func(t *testing.T) {
			services = held(t, whole.withoutServices)
			gate()
		},
		enter: func(t *testing.T, e *tool) { e.await(t, "traffic is to move", in(v1alpha1.PhaseSwitching)) },
	}, {
		name: "Stable", argocd: "health Healthy", flux: current, actions: []string{"pause", "restart"},
		between: func(*testing.T) { services() },
		enter: func(t *testing.T, e *tool) {
			e.awaitStable(t)
			switch {
			case e.mode == "replace":
				e.git = append(e.git, e.serviceInGit(t))
				_, err := e.ask(request{Do: "sync", Git: e.inGit(t)})
				refused(t, "a Service that is replaced", err, "cannot change the selector of Service shop")
				e.git = e.git[:1]
			case e.name == "argocd":
				e.waves(t, "")
			}
		},
	}, {
		name: "Scaled", argocd: "health Healthy", flux: current,
		enter: func(t *testing.T, e *tool) {
			if err := e.scale(within(t), 2); err != nil {
				t.Fatal(err)
			}
			e.awaitSize(t, "blue", 2)
			if e.mode == "replace" { // which knows nothing of autoscalers
				e.sync(t)
				e.awaitSize(t, "blue", 1)
				e.push(t, "v1", behalf, set("spec.replicas", int64(2)))
				e.awaitSize(t, "blue", 2)
			}
			e.await(t, "it is seen", stable)
		},
	}, {
		name: "Restarted", argocd: "health Healthy", flux: current,
		enter: func(t *testing.T, e *tool) {
			if err := e.annotate(t, "dev", v1alpha1.RestartAnnotation, e.release(t).Status.Active.RestartRequest()); err != nil {
				t.Fatal(err)
			}
			e.await(t, "its Pods are made anew", func(r *v1alpha1.Release) bool {
				restart := r.Status.Active.Restart
				return restart != nil && restart.FinishedAt != nil && stable(r)
			})
			e.remark(t)
		},
	}, {
		name: "AwaitingApproval", argocd: "health Suspended", flux: waits, actions: []string{"abort", "pause", "restart"},
		enter: func(t *testing.T, e *tool) {
			e.push(t, "v2", set("spec.observeSeconds", int64(600)))
			e.mustVote(t, "alice", e.awaitTested(t))
			e.await(t, "it counts", approvals("1/3"))
		},
	}, {
		name: "Observing", argocd: "health Progressing", flux: waits, actions: []string{"pause", "restart", "rollback"},
		enter: func(t *testing.T, e *tool) {
			digest := e.release(t).Status.Candidate.Digest
			e.mustVote(t, "bob", digest)
			e.mustVote(t, "carol", digest)
			e.await(t, "it is observed", in(v1alpha1.PhaseObserving))
		},
	}, {
		name: "RollingBack", argocd: "health Degraded",
		flux:    "kstatus InProgress, ready-when-released Failed, ready-while-people-decide Failed",
		between: func(t *testing.T) { services = held(t, whole.withoutServices) },
		enter: func(t *testing.T, e *tool) {
			e.asked(t, "rollback", v1alpha1.RollbackAnnotation, e.release(t).Status.Active.Digest)
			e.await(t, "traffic is to move back", in(v1alpha1.PhaseRollingBack))
		},
	}, {
		name: "RolledBack", argocd: "health Degraded", flux: failed, actions: []string{"pause", "restart"},
		between: func(*testing.T) { services() },
		enter:   func(t *testing.T, e *tool) { e.await(t, "it is back", givenUp(v1alpha1.ReasonRolledBack)) },
	}, {
		name: "Paused", argocd: "health Suspended", flux: waits, actions: []string{"abort", "restart", "resume"},
		enter: func(t *testing.T, e *tool) {
			e.push(t, "v3")
			e.awaitTested(t)
			e.pauseIt(t)
			e.await(t, "it is paused", in(v1alpha1.PhasePaused))
		},
	}, {
		name: "Aborted", argocd: "health Degraded", flux: failed, actions: []string{"pause", "restart", "retry"},
		enter: func(t *testing.T, e *tool) {
			e.resumeIt(t)
			e.awaitTested(t)
			e.asked(t, "abort", v1alpha1.AbortAnnotation, e.release(t).Status.Candidate.Digest)
			e.await(t, "it is given up", givenUp(v1alpha1.ReasonAborted))
		},
	}, {
		name: "Retried", argocd: "health Suspended", flux: waits,
		enter: func(t *testing.T, e *tool) {
			e.asked(t, "retry", v1alpha1.RetryAnnotation, e.release(t).Status.Candidate.Digest)
			e.awaitTested(t)
		},
	}, {
		name: "Rejected", argocd: "health Degraded", flux: failed,
		enter: func(t *testing.T, e *tool) {
			e.mustVote(t, "bob", v1alpha1.RejectPrefix+e.release(t).Status.Candidate.Digest)
			e.await(t, "it is vetoed", stalled(v1alpha1.ReasonRejected))
		},
	}, {
		name: "Deleting", argocd: "health Progressing",
		flux:    "kstatus Terminating, ready-when-released InProgress, ready-while-people-decide InProgress",
		between: func(t *testing.T) { whole.operator.controller.stop() },
		enter: func(t *testing.T, e *tool) {
			e.mustAsk(t, request{Do: "prune", Git: e.inGit(t)[:1]})
			if e.release(t).DeletionTimestamp == nil {
				t.Fatal("it is not deleted")
			}
		},
	}}
}

// seesDrift shows that a difference would be seen: somebody changes what is in Git.
func (e *tool) seesDrift(t *testing.T) {
	t.Helper()
	if err := e.annotate(t, "dev", "example.com/team", "another"); err != nil {
		t.Fatal(err)
	}
	if a := e.mustAsk(t, request{Do: "compare", Git: e.inGit(t)}); len(a.Diffs) == 0 {
		t.Error("a change of what is in Git is no difference: then nothing here means anything")
	}
	e.sync(t)
	if got := e.release(t).Annotations["example.com/team"]; got != "shop" {
		t.Errorf("after a sync the team is %q", got)
	}
}

// waves puts the Service into a wave after the Release, and wants the operation held,
// or not.
func (e *tool) waves(t *testing.T, holds string) {
	t.Helper()
	git := e.git
	e.git = []*unstructured.Unstructured{git[0], git[1].DeepCopy()}
	e.git[1].SetAnnotations(map[string]string{"argocd.argoproj.io/sync-wave": "1"})
	_, err := e.ask(request{Do: "sync", Git: e.inGit(t)})
	if holds != "" {
		refused(t, "a wave after the Release", err, holds)
	} else if err != nil {
		t.Error(err)
	}
	e.git = git
	e.sync(t)
}

// remark is an annotation of somebody who is not kubectl, which Flux leaves alone.
func (e *tool) remark(t *testing.T) {
	t.Helper()
	patch := []byte(`{"metadata":{"annotations":{"` + remarked + `":"yes"}}}`)
	_, err := e.people["dev"].resource("releases", e.namespace).Patch(within(t), shopName, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "shop-team"})
	if err != nil {
		t.Fatal(err)
	}
}

// behalf says in Git for whom the content was written.
func behalf(o *unstructured.Unstructured) {
	mark("annotations", v1alpha1.OnBehalfOfAnnotation, email("dev"))(o)
}

// in tells whether a Release is in a phase, of its newest spec.
func in(phase v1alpha1.Phase) func(*v1alpha1.Release) bool {
	return func(r *v1alpha1.Release) bool {
		return r.Status.Phase == phase && r.Status.ObservedGeneration == r.Generation
	}
}

var stable = in(v1alpha1.PhaseStable)

func approvals(text string) func(*v1alpha1.Release) bool {
	return func(r *v1alpha1.Release) bool { return r.Status.Approvals == text }
}

func givenUp(reason string) func(*v1alpha1.Release) bool {
	return func(r *v1alpha1.Release) bool {
		c := r.Status.Candidate
		return in(v1alpha1.PhaseHalted)(r) && c != nil && c.Halted != nil && c.Halted.Reason == reason && stalled(reason)(r)
	}
}

func stalled(reason string) func(*v1alpha1.Release) bool {
	return func(r *v1alpha1.Release) bool {
		return slices.ContainsFunc(r.Status.Conditions, func(c metav1.Condition) bool {
			return c.Type == v1alpha1.ConditionStalled && c.Reason == reason && c.ObservedGeneration == r.Generation
		})
	}
}

// asked has Argo CD run an action, and a developer ask by annotation elsewhere.
func (e *tool) asked(t *testing.T, action, key, value string) {
	t.Helper()
	if e.name == "argocd" {
		e.mustAsk(t, request{Do: "act", Action: action, Live: asJSON(t, e.live(t))})
		return
	}
	if err := e.annotate(t, "dev", key, value); err != nil {
		t.Fatal(err)
	}
}

// pauseIt is by Argo CD's action where that stays, and by a commit elsewhere.
func (e *tool) pauseIt(t *testing.T) {
	t.Helper()
	if e.name == "argocd" && e.mode != "replace" {
		e.mustAsk(t, request{Do: "act", Action: "pause", Live: asJSON(t, e.live(t))})
		return
	}
	e.push(t, "v3", set("spec.paused", true))
}

func (e *tool) resumeIt(t *testing.T) {
	t.Helper()
	if e.name == "argocd" && e.mode != "replace" {
		e.mustAsk(t, request{Do: "act", Action: "resume", Live: asJSON(t, e.live(t))})
		return
	}
	e.push(t, "v3")
}

// held does something that is undone when the test ends, or before.
func held(t *testing.T, do func(*testing.T) func()) (undo func()) {
	undone := false
	back := do(t)
	undo = func() {
		if !undone {
			undone = true
			back()
		}
	}
	t.Cleanup(undo)
	return undo
}

// withoutBinding takes a guard away, so that the gate is frozen.
func (w *world) withoutBinding(t *testing.T) func() {
	t.Helper()
	o, err := w.admin.resource("validatingadmissionpolicybindings", "").Get(within(t), "pod-guard.countersign.dev", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.delete(t, o)
	return func() { w.install(t, []*unstructured.Unstructured{applied(o)}) }
}

// withoutServices keeps the operator from writing Services, so that a switch that is
// decided is not carried out.
func (w *world) withoutServices(t *testing.T) func() {
	t.Helper()
	policy := canary("no-services")
	set("spec.matchConstraints.resourceRules", []any{map[string]any{
		"apiGroups": []any{""}, "apiVersions": []any{"*"}, "operations": []any{"UPDATE"}, "resources": []any{"services"},
	}})(policy[0])
	set("spec.validations", []any{map[string]any{"expression": "request.userInfo.username != '" + operatorUser + "'", "message": "not now"}})(policy[0])
	w.install(t, policy)
	w.awaitPolicies(t)
	return func() {
		for _, o := range slices.Backward(policy) {
			if err := w.admin.of(o).Delete(within(t), o.GetName(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Error(err)
			}
		}
	}
}
