// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const policyOwner = "compliance"

func policyKey(name string) key { return key{kindPolicy, types.NamespacedName{Name: name}} }

// basePolicy wants one of qa and one of security, who may veto.
func (s *sim) basePolicy() *v1alpha1.ApprovalPolicy {
	p := &v1alpha1.ApprovalPolicy{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.ApprovalPolicySpec{
		Namespaces: []string{"prod*"}, ValidFor: metav1.Duration{Duration: 24 * time.Hour},
		Rules: []v1alpha1.ApprovalRule{{Name: "qa", Count: 1, Groups: []string{"qa"}}},
	}}
	return p
}

func (s *sim) createPolicy() {
	p := s.basePolicy()
	s.vary(&p.Spec)
	_, err := s.server.create(policyOwner, p)
	s.must(err)
}

// vary tightens or loosens a policy.
func (s *sim) vary(spec *v1alpha1.ApprovalPolicySpec) {
	switch s.rng.IntN(7) {
	case 0:
		spec.Rules[0].Count = int32(1 + s.rng.IntN(2))
	case 1:
		spec.ValidFor.Duration = pick(s, []time.Duration{time.Minute, 2 * time.Minute, 10 * time.Minute, 24 * time.Hour})
	case 2:
		spec.Persons = []v1alpha1.Person{{Name: "alice", Users: []string{"alice", "alice-admin"}}}
	case 3:
		spec.AuthorsMayApprove = !spec.AuthorsMayApprove
	case 4:
		spec.MinDistinctPersons = int32(s.rng.IntN(4))
	default:
		spec.Rules = spec.Rules[:1]
		spec.AuthorsMayApprove = false
		if s.rng.IntN(3) > 0 {
			spec.Rules = append(spec.Rules, v1alpha1.ApprovalRule{Name: "security", Count: 1, Groups: []string{"security"}, CanVeto: true})
		}
	}
}

// changePolicy changes, deletes or adds policies.
func (s *sim) changePolicy() {
	k := policyKey("production")
	have, _ := s.server.get(k).(*v1alpha1.ApprovalPolicy)
	switch n := s.rng.IntN(12); {
	case have == nil:
		s.createPolicy()
	case n == 0:
		s.must(s.server.remove(policyOwner, k, nil))
	case n == 1:
		s.extraPolicy()
	default:
		next := have.DeepCopy()
		s.vary(&next.Spec)
		_, err := s.server.update(policyOwner, next)
		s.must(err)
	}
	s.down = s.rng.IntN(20) == 0
}

// extraPolicy adds a second policy for a time.
func (s *sim) extraPolicy() {
	k := policyKey("freeze")
	if s.server.get(k) != nil {
		s.must(s.server.remove(policyOwner, k, nil))
		return
	}
	p := s.basePolicy()
	p.Name = k.Name
	p.Spec.Rules = []v1alpha1.ApprovalRule{{Name: "lead", Count: 1, Users: []string{"carol", "erin"}, CanVeto: true}}
	_, err := s.server.create(policyOwner, p)
	s.must(err)
}
