// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// edit is a developer who changes the version; it returns the sequence number of
// what was there before.
func (s *soaker) edit(version string) int64 {
	rel := &v1alpha1.Release{}
	if s.Err() != nil {
		return 0
	}
	if err := s.people["dev"].Get(s.ctx, s.Release, rel); err != nil {
		s.Fail("get the Release: %w", err)
		return 0
	}
	base := client.MergeFrom(rel.DeepCopy())
	rel.Spec.Template.Spec.Containers[0].Env[0].Value = version
	if err := s.people["dev"].Patch(s.ctx, rel, base); err != nil {
		s.Fail("release version %s: %w", version, err)
	}
	return rel.Status.Sequence
}

// vote is alice's and bob's approval.
func (s *soaker) vote(rel *v1alpha1.Release) {
	for _, name := range []string{"alice", "bob"} {
		if s.Err() != nil {
			return
		}
		patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.VotePrefix+name, digestOf(rel))
		if err := s.people[name].Patch(s.ctx, rel.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			s.Fail("%s approves: %w", name, err)
		}
	}
}

// fallSick makes what was just promoted sick, and waits until what was there
// before serves again.
func (s *soaker) fallSick(ctx context.Context) {
	if s.Err() != nil {
		return
	}
	failing, before := s.moves[len(s.moves)-1].to, s.moves[len(s.moves)-2].to
	rel := s.Await("the Release is there", func(*v1alpha1.Release) bool { return true })
	var pods corev1.PodList
	if err := s.Client.List(ctx, &pods, client.InNamespace(s.Release.Namespace), ofActive(rel)); err != nil {
		s.Fail("list the Pods: %w", err)
		return
	}
	s.sick[failing] = time.Now()
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil {
			if err := postSick(ctx, s.cluster, &pods.Items[i]); err != nil {
				s.Fail("make Pod %s sick: %w", pods.Items[i].Name, err)
			}
		}
	}
	s.moves = append(s.moves, move{rollback: true, to: before})
	s.awaitMove()
	s.AwaitPhase(v1alpha1.PhaseHalted)
	if s.Err() == nil {
		s.rollbacks.Add(1)
	}
}
