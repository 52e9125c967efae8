// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// atRest judges a world in which nothing moves.
func (s *sim) atRest() {
	rel := s.release()
	if rel == nil || rel.DeletionTimestamp != nil {
		if rel != nil {
			s.violate("I17", "the Release is not gone though its deletion was asked for")
		}
		return
	}
	s.oracle.votesExplained(rel, &rel.Status)
	stalled := conditionOf(&rel.Status, v1alpha1.ConditionStalled)
	s.configAtRest(rel, stalled != nil)
	s.budgetsAtRest(rel)
	s.jobsAtRest(rel)
	s.recordsAtRest(rel)
	s.restartsAtRest(rel, stalled != nil)
	s.servicesAtRest(rel)
	s.sizesAtRest(rel)
	a := rel.Status.Active
	if a == nil {
		return
	}
	for _, ref := range a.Services {
		svc, _ := s.server.get(serviceKey(ref.Name)).(*corev1.Service)
		leads := svc != nil && len(svc.Spec.Selector) == 2 && svc.Spec.Selector[v1alpha1.ReleaseLabel] == releaseName &&
			svc.Spec.Selector[v1alpha1.ColourLabel] == string(a.Colour)
		if svc == nil && !names(rel, ref.Name) {
			continue // taken out of the spec, and then deleted
		}
		if !leads && stalled == nil {
			s.violate("I12", "Service %s does not lead to %s, and nobody is told", ref.Name, a.Colour)
		}
	}
	d := s.deployment(a.Colour)
	if (d == nil || d.Spec.Template.Spec.Containers[0].Image != s.oracle.offered[a.Digest].image) && stalled == nil && a.FinishedAt != nil &&
		conditionOf(&rel.Status, v1alpha1.ConditionReady).Status != "False" {
		s.violate("I12", "Deployment shop-%s does not hold what was promoted, and nobody is told", a.Colour)
	}
}

func (s *sim) deployment(c v1alpha1.Colour) *appsv1.Deployment {
	k := key{kindDeployment, types.NamespacedName{Namespace: namespace, Name: releaseName + "-" + string(c)}}
	d, _ := s.server.get(k).(*appsv1.Deployment)
	return d
}

// mend does what the operator's messages ask people for.
func (s *sim) mend() {
	for _, name := range activeServices {
		if s.server.get(serviceKey(name)) == nil && !s.operatorMakes(name) {
			s.createService(name)
		}
	}
	s.mendConfig()
	for _, p := range live[*v1alpha1.ApprovalPolicy](s, kindPolicy, nil) {
		s.must(s.server.remove(policyOwner, keyOf(p), nil))
	}
	_, err := s.server.create(policyOwner, s.basePolicy())
	s.must(err)
	if s.release() == nil {
		s.createRelease(dave)
		return
	}
	inStorage(s, s.releaseKey(), func(rel *v1alpha1.Release) {
		for _, slot := range slotsOf(rel) {
			if _, honest := s.oracle.votes[slot]; !honest {
				delete(rel.Annotations, v1alpha1.VotePrefix+slot)
				delete(rel.Annotations, v1alpha1.ReceiptPrefix+slot)
			}
		}
	})
}

// letOut lets good content out with everybody's good will: it has to get there.
func (s *sim) letOut() {
	image := s.newImage(good)
	s.apply(image, 0)
	if !s.await(func() bool { s.heed(); s.approveAll(); return s.serves(image) }) || !s.serves(image) {
		s.violate("liveness", "good content that everybody approves does not get there: %s", s.whyNot())
	}
	s.rest("after a promotion")
	if !s.serves(image) {
		s.violate("liveness", "good content that was promoted does not stay: %s", s.whyNot())
	}
}

func (s *sim) whyNot() string {
	rel := s.release()
	if rel == nil {
		return "there is no Release"
	}
	out := string(rel.Status.Phase) + ", waits for " + rel.Status.WaitingFor
	if c := conditionOf(&rel.Status, v1alpha1.ConditionReady); c != nil {
		out += ": " + c.Message
	}
	return out
}

// apply is dave's manifest. When his change is refused because the record of
// the authors is lost, he does what the refusal says.
func (s *sim) apply(image string, observe int32) {
	policy := pick(s, []v1alpha1.DeletionPolicy{"", v1alpha1.RetainOnDeletion, v1alpha1.DeleteOnDeletion})
	change := func(rel *v1alpha1.Release) {
		rel.Spec.DeletionPolicy = policy
		rel.Spec.Template, rel.Spec.Paused, rel.Spec.Approval, rel.Spec.MinReadySeconds = s.template(image), false, nil, 0
		rel.Spec.Checks, rel.Spec.ProgressDeadlineSeconds, rel.Spec.Irreversible = s.checks(), 300, false
		rel.Spec.Services = []v1alpha1.ServiceRef{s.ref("shop")}
		if observe > 0 {
			rel.Spec.ObserveSeconds = observe
		}
	}
	err := s.edit(dave, change)
	if err == nil {
		return
	}
	s.logf("the record of the authors is lost: the Release is made anew")
	s.seen.add("releases made anew")
	s.must(s.server.remove(dana.name, s.releaseKey(), nil))
	s.rest("after a deletion")
	s.createRelease(dave)
	s.must(s.edit(dave, change))
}

// heed does what the operator asks the platform team for.
func (s *sim) heed() {
	rel := s.release()
	if rel == nil {
		return
	}
	stalled := conditionOf(&rel.Status, v1alpha1.ConditionStalled)
	if stalled != nil && stalled.Reason == v1alpha1.ReasonIrreversible {
		s.goOn(rel)
		return
	}
	if stalled != nil && stalled.Reason == v1alpha1.ReasonOriginUnusable {
		s.mustEdit(func(rel *v1alpha1.Release) { rel.Spec.WorkloadRef = nil })
		return
	}
	if stalled != nil && stalled.Reason == v1alpha1.ReasonServicePortsDiffer {
		s.portsAgreed()
		return
	}
	if stalled == nil || stalled.Reason != v1alpha1.ReasonWorkloadForeign && stalled.Reason != v1alpha1.ReasonSelectorConflict {
		return
	}
	for _, d := range s.deployments() {
		switch {
		case labelled(d):
		case stalled.Reason == v1alpha1.ReasonSelectorConflict && rel.Status.Active == nil:
			inStorage(s, serviceKey("shop"), func(svc *corev1.Service) { svc.Spec.Selector = maps.Clone(d.Spec.Selector.MatchLabels) })
		case strings.Contains(stalled.Message, "Deployment "+d.Name+" "):
			s.must(s.server.remove(intruder, keyOf(d), nil))
		}
	}
}

// goOn decides about irreversible content that fails: what was sent before is sent
// once more.
func (s *sim) goOn(rel *v1alpha1.Release) {
	since, c := rel.Status.Active.FailingSince, rel.Status.Candidate
	if since == nil || c == nil || c.Since.After(since.Time) || c.ObservedGeneration != rel.Generation {
		return
	}
	s.mustEdit(func(rel *v1alpha1.Release) {
		rel.Spec.Template.Annotations = map[string]string{"sent": fmt.Sprint(s.steps)}
	})
}

// approveAll: everybody who may votes for what is on offer.
func (s *sim) approveAll() {
	rel := s.release()
	if rel == nil || onOffer(rel) == "" || rel.Status.Candidate.Halted != nil || rel.Status.Candidate.ObservedGeneration != rel.Generation {
		return
	}
	s.review(alice)
	for _, u := range []user{alice, bob, carol, erin} {
		slot, _ := s.slotOf(rel, u)
		if s.release().Annotations[v1alpha1.VotePrefix+slot] != onOffer(rel) {
			s.cast(u, slot, onOffer(rel))
		}
	}
}

// serves tells whether content is active, finished and led to.
func (s *sim) serves(image string) bool {
	rel := s.release()
	if rel == nil || rel.Status.Active == nil || rel.Status.Phase != v1alpha1.PhaseStable {
		return false
	}
	d := s.deployment(rel.Status.Active.Colour)
	svc, _ := s.server.get(serviceKey("shop")).(*corev1.Service)
	return d != nil && d.Spec.Template.Spec.Containers[0].Image == image && svc != nil &&
		svc.Spec.Selector[v1alpha1.ColourLabel] == string(rel.Status.Active.Colour) && s.oracle.served("shop") > 0
}

// goesBack promotes content that falls sick while it is observed: it has to be
// switched back without anybody.
func (s *sim) goesBack() {
	before := s.release().Status.Active.Digest
	s.apply(s.newImage(pick(s, []string{sickLater, unreadyLater})), 200)
	s.mustEdit(func(rel *v1alpha1.Release) {
		checks := s.checks()
		for checks == nil || len(checks.AfterSwitch) == 0 {
			checks = s.checks()
		}
		rel.Spec.Checks = checks
	})
	halted := func() bool {
		s.heed()
		s.approveAll()
		c := s.release().Status.Candidate
		return c != nil && c.Halted != nil && c.Halted.Reason == v1alpha1.ReasonRolledBack
	}
	if !s.await(halted) || !halted() {
		s.violate("liveness", "content that fell sick is not rolled back: %s", s.whyNot())
	}
	s.rest("after a rollback")
	if got := s.release().Status.Active.Digest; got != before {
		s.violate("liveness", "the rollback ended at %s instead of %s", got, before)
	}
	s.seen.add("rollbacks in the calm")
}

func (s *sim) mustEdit(change func(*v1alpha1.Release)) { s.must(s.edit(dave, change)) }

// goesAway deletes the Release: what serves goes on serving, unless it was let
// through as what goes with it.
func (s *sim) goesAway() {
	leaving := s.release().DeepCopy()
	leaving.DeletionTimestamp = &metav1.Time{Time: s.clock}
	s.must(s.server.remove(dana.name, s.releaseKey(), nil))
	s.rest("after a deletion")
	s.clock = s.clock.Add(time.Minute)
	s.rest("after a deletion")
	if s.oracle.takesDown(leaving) {
		s.goneDown()
		return
	}
	if s.oracle.served("shop") == 0 {
		s.violate("I17", "nothing serves after the Release was deleted")
	}
	for _, d := range s.deployments() {
		for _, ref := range referencesOf(d) {
			if _, there := s.valueOf(ref); !there && s.oracle.configAt[ref] == 0 {
				s.violate("I17", "%s %s is gone, and Deployment %s, which serves, uses it", ref.Kind, ref.Name, d.Name)
			}
		}
		if labelled(d) && strings.HasPrefix(d.Name, releaseName) {
			s.violate("I17", "Deployment %s still carries our marks", d.Name)
		}
	}
	s.budgetsGivenBack()
}

// goneDown: all of ours is gone.
func (s *sim) goneDown() {
	s.seen.add("releases taken down")
	for _, d := range s.deployments() {
		if labelled(d) && strings.HasPrefix(d.Name, releaseName) {
			s.violate("I17", "Deployment %s was to be taken down, and is there", d.Name)
		}
	}
	s.budgetsGivenBack()
}
