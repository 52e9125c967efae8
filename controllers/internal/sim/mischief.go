// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"bytes"
	"context"
	"encoding/base64"
	"maps"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/receipt"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// mischief through the API: what people try who have no right to, and what
// tools do that do not know of votes.
func (s *sim) mischief() {
	rel := s.release()
	if rel == nil {
		return
	}
	digest := onOffer(rel)
	switch s.rng.IntN(8) {
	case 0: // the author approves
		s.cast(pick(s, developers()), "author", digest)
	case 1: // somebody without a say
		s.cast(mallory, "mallory", digest)
	case 2: // somebody in another's name
		s.cast(user{name: "carol", groups: carol.groups, impersonated: true}, "slot-of-carol", digest)
	case 3: // a receipt that was made up
		_ = s.edit(mallory, func(r *v1alpha1.Release) {
			annotate(r, v1alpha1.ReceiptPrefix+"slot-of-alice", s.forged(r, alice, "slot-of-alice", digest))
		})
	case 4: // another one's vote
		for _, slot := range slotsOf(rel) {
			_ = s.edit(mallory, func(r *v1alpha1.Release) { annotate(r, v1alpha1.VotePrefix+slot, digest) })
		}
	case 5: // a sync that knows neither votes nor authors
		_ = s.edit(argocd, func(r *v1alpha1.Release) { r.Annotations = nil })
	case 6: // the list of authors
		_ = s.edit(dave, func(r *v1alpha1.Release) { annotate(r, v1alpha1.AuthorsAnnotation, `["mallory"]`) })
	case 7: // the status
		next := rel.DeepCopy()
		next.Status.WaitingFor = "nobody"
		if s.weather.guards {
			if _, err := s.server.updateStatus(mallory.name, next); err == nil {
				s.violate("I6", "somebody wrote the status")
			}
		}
	}
}

// forged is a receipt with a signature of mallory's own that names the key of
// the webhook.
func (s *sim) forged(rel *v1alpha1.Release, as user, slot, value string) string {
	if value == "" {
		value = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	}
	envelope, err := receipt.NewSigner(keyFrom("m")).SignVote(context.Background(), receipt.Vote{
		Cluster: clusterID, Namespace: namespace, Name: releaseName, UID: string(rel.UID), Slot: slot,
		Digest: value, Decision: receipt.Approve, User: as.name, Groups: as.groups, At: s.clock, Nonce: "n",
	})
	s.must(err)
	raw, err := base64.RawURLEncoding.DecodeString(envelope)
	s.must(err)
	mine, theirs := receipt.KeyID(receipt.NewSigner(keyFrom("m")).Public()), receipt.KeyID(s.signer.Public())
	raw = bytes.ReplaceAll(raw, []byte(mine), []byte(theirs))
	return receipt.FormatVote(as.name, value, base64.RawURLEncoding.EncodeToString(raw))
}

// intrude writes behind everybody's back, past admission and guards.
func (s *sim) intrude() {
	s.seen.add("intrusions")
	if s.configured() && s.rng.IntN(4) == 0 {
		s.spoilCopies()
		return
	}
	switch s.rng.IntN(12) {
	case 0, 1, 2:
		s.forgeVotes()
	case 3, 4, 5:
		s.moveSelector()
	case 6:
		s.deleteService()
	case 7:
		s.tamperWithDeployment()
	case 8:
		s.deleteDeployment()
	case 9:
		s.forgeAuthors()
	case 10:
		s.forgeEmergency()
	case 11:
		s.spoilBudgets()
	}
}

// inStorage changes an object past everything.
func inStorage[T client.Object](s *sim, k key, change func(T)) {
	have, is := s.server.get(k).(T)
	if !is {
		return
	}
	next := have.DeepCopyObject().(T)
	change(next)
	_, err := s.server.update(intruder, next)
	s.must(err)
}

// forgeVotes puts votes into storage: without a receipt, with one of the wrong
// key, with one that was written for another digest or in another slot.
func (s *sim) forgeVotes() {
	rel := s.release()
	if rel == nil || onOffer(rel) == "" {
		return
	}
	digest, n := onOffer(rel), s.rng.IntN(4)
	as := pick(s, []user{alice, bob, carol, erin})
	own, voted := s.slotOf(rel, as)
	inStorage(s, s.releaseKey(), func(r *v1alpha1.Release) {
		slot := "forged-" + as.name
		switch {
		case n == 0:
		case n == 1:
			annotate(r, v1alpha1.ReceiptPrefix+slot, s.forged(r, as, slot, digest))
		case n == 2 && voted:
			slot = own
		case voted:
			annotate(r, v1alpha1.ReceiptPrefix+slot, r.Annotations[v1alpha1.ReceiptPrefix+own])
		}
		annotate(r, v1alpha1.VotePrefix+slot, digest)
	})
}

func (s *sim) forgeAuthors() {
	inStorage(s, s.releaseKey(), func(r *v1alpha1.Release) {
		annotate(r, v1alpha1.AuthorsAnnotation, `["mallory"]`)
		if s.rng.IntN(2) == 0 {
			delete(r.Annotations, v1alpha1.AuthorsReceiptAnnotation)
		}
	})
}

// moveSelector: an earlier manifest is applied, or somebody helps themselves.
func (s *sim) moveSelector() {
	to := pick(s, []map[string]string{
		nil, {"app": "shop"}, {v1alpha1.ReleaseLabel: releaseName},
		{v1alpha1.ReleaseLabel: releaseName, v1alpha1.ColourLabel: "blue"},
		{v1alpha1.ReleaseLabel: releaseName, v1alpha1.ColourLabel: "green"},
	})
	unmark := s.rng.IntN(4) == 0
	s.seen.add("selectors moved by others")
	inStorage(s, serviceKey(pick(s, activeServices)), func(svc *corev1.Service) {
		svc.Spec.Selector = maps.Clone(to)
		if unmark {
			svc.Labels, svc.Annotations = nil, nil
		}
	})
}

func (s *sim) deleteService() {
	k := serviceKey(pick(s, append([]string{"shop-preview"}, activeServices...)))
	if s.server.get(k) == nil {
		if isActive(k.Name) {
			s.createService(k.Name)
		}
		return
	}
	s.must(s.server.remove(intruder, k, nil))
	if s.operatorMakes(k.Name) && s.parts.ports.rng.IntN(3) > 0 {
		return
	}
	if isActive(k.Name) && s.rng.IntN(3) > 0 {
		s.createService(k.Name)
	}
}

func isActive(service string) bool {
	return service == activeServices[0] || service == activeServices[1]
}

func (s *sim) tamperWithDeployment() {
	all := s.deployments()
	if len(all) == 0 {
		return
	}
	n, target := s.rng.IntN(3), pick(s, all)
	if n != 1 && s.undigested(target) {
		return
	}
	inStorage(s, keyOf(target), func(d *appsv1.Deployment) {
		switch n {
		case 0:
			d.Spec.Template.Spec.Containers[0].Image = s.newImage(good)
		case 1:
			d.Spec.Replicas = ptr(int32(s.rng.IntN(3)))
		case 2:
			d.Spec.Template.Spec.Containers[0].Args = []string{"--debug"}
		}
	})
}

// undigested tells whether a Deployment holds a candidate whose digest is not
// taken yet. A change past the guards in that moment becomes part of what the
// digest is of, and so of what people vote on: a known limit.
func (s *sim) undigested(d *appsv1.Deployment) bool {
	rel := s.release()
	c := rel != nil && rel.Status.Candidate != nil
	return c && rel.Status.Candidate.TemplateHash == "" && d.Name == releaseName+"-"+string(rel.Status.Candidate.Colour)
}

func (s *sim) deleteDeployment() {
	if all := s.deployments(); len(all) > 0 {
		s.must(s.server.remove(intruder, keyOf(pick(s, all)), nil))
	}
}
