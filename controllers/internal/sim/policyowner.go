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
		Rules:      []v1alpha1.ApprovalRule{{Name: "qa", Count: 1, Groups: []string{"qa"}}},
		BreakGlass: forOnCall(),
	}}
	return p
}

func forOnCall() *v1alpha1.BreakGlass {
	return &v1alpha1.BreakGlass{Groups: []string{"oncall"}, ReviewWithin: metav1.Duration{Duration: time.Hour}}
}

func (s *sim) createPolicy() {
	p := s.basePolicy()
	s.vary(&p.Spec)
	_, err := s.server.create(policyOwner, p)
	s.must(err)
}

// vary tightens or loosens a policy.
func (s *sim) vary(spec *v1alpha1.ApprovalPolicySpec) {
	switch s.rng.IntN(11) {
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
	case 5:
		if spec.Hold = ""; s.rng.IntN(2) == 0 {
			spec.Hold = "an incident"
			s.seen.add("holds")
		}
	case 6:
		if spec.Windows = nil; s.rng.IntN(2) == 0 {
			spec.Windows = evenMinutes()
			s.seen.add("windows")
		}
	case 7:
		if spec.BreakGlass == nil {
			spec.BreakGlass = forOnCall()
		} else {
			spec.BreakGlass = nil
		}
	default:
		spec.Rules = spec.Rules[:1]
		spec.AuthorsMayApprove = false
		if s.rng.IntN(3) > 0 {
			spec.Rules = append(spec.Rules, v1alpha1.ApprovalRule{Name: "security", Count: 1, Groups: []string{"security"}, CanVeto: true})
		}
	}
}

// evenMinutes are open in every other minute. The world's clock stands in March
// 2026, and one minute of it is excluded besides.
func evenMinutes() *v1alpha1.Windows {
	from := metav1.NewTime(time.Date(2026, 3, 2, 9, 2, 30, 0, time.UTC))
	to := metav1.NewTime(from.Add(time.Minute))
	return &v1alpha1.Windows{
		Allow:    []v1alpha1.Window{{Schedule: "*/2 * * * *", Duration: metav1.Duration{Duration: time.Minute}}},
		Exclude:  []v1alpha1.Exclusion{{From: &from, To: &to}},
		TimeZone: "Europe/Berlin",
	}
}

// closed tells whether evenMinutes are.
func closed(at time.Time) bool {
	from := time.Date(2026, 3, 2, 9, 2, 30, 0, time.UTC)
	return at.Minute()%2 == 1 || !at.Before(from) && at.Before(from.Add(time.Minute))
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
	if s.rng.IntN(3) == 0 {
		p.Spec.Rules, p.Spec.Hold = nil, "stop the line"
		s.seen.add("holds")
	}
	_, err := s.server.create(policyOwner, p)
	s.must(err)
}
