// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
)

// TestApproval tells the story of one Release and of those who try to let it out
// without being asked.
func TestApproval(t *testing.T) {
	s := openShop(t)
	s.mustApply(t, "dev", s.manifest(t, "v1"))
	if got := s.release(t).Annotations[v1alpha1.AuthorsAnnotation]; got != `["dev@example.com"]` {
		t.Errorf("authors are %s, want dev alone", got)
	}
	digest := s.awaitCandidate(t)
	t.Run("refused", func(t *testing.T) { s.forbiddenVotes(t, digest) })
	if got := s.release(t); len(got.Status.Votes) != 0 || got.Status.Active != nil {
		t.Fatalf("the refused votes left something: %s", standing(got))
	}
	t.Run("counted", func(t *testing.T) { s.countedVote(t, digest) })
	t.Run("changed", func(t *testing.T) { digest = s.votesOnChange(t, digest) })
	s.mustVote(t, "alice", digest)
	s.mustVote(t, "bob", digest)
	s.awaitActive(t, digest)
	if got := s.selector(t); got != "blue" {
		t.Errorf("Service shop leads to %q", got)
	}
}

// forbiddenVotes are refused by admission as a whole: which of the two locks
// speaks first is not fixed.
func (s *shop) forbiddenVotes(t *testing.T, digest string) {
	refused(t, "the author approves", s.vote(t, "dev", "dev", digest), email("dev"), "changed the content and cannot approve it")
	refused(t, "somebody whom no rule names approves", s.vote(t, "mallory", "mallory", digest), email("mallory"))
	refused(t, "mallory as alice", s.vote(t, "mallory as alice", "alice", digest), "--as")
	refused(t, "a client certificate", s.vote(t, "admin", "admin", digest), "client certificates")
	t.Run("sec/50 sec/48 D21 a tool as its ServiceAccount", func(t *testing.T) {
		refused(t, "a ServiceAccount", s.vote(t, "bot", "bot", digest), "not a person")
	})
	t.Run("sec/65 one digest for every Release", func(t *testing.T) {
		refused(t, "another digest", s.vote(t, "alice", "alice", digestTwo), digest, "--overwrite approvals.countersign.dev/alice="+digest)
	})
	refused(t, "a receipt made up", s.annotate(t, "alice", v1alpha1.ReceiptPrefix+"alice", "v1 "+email("alice")+" "+digest+" x"), "receipts are written by admission only")
	if err := s.annotate(t, "dev", v1alpha1.AuthorsAnnotation, `["alice@example.com"]`); err != nil {
		t.Logf("authors rewritten: %v", err)
	}
	if got := s.release(t).Annotations[v1alpha1.AuthorsAnnotation]; got != `["dev@example.com"]` {
		t.Errorf("dev made the authors %s", got)
	}
}

func (s *shop) countedVote(t *testing.T, digest string) {
	s.mustVote(t, "alice", digest)
	rel := s.await(t, "alice's vote is explained", func(r *v1alpha1.Release) bool { return len(r.Status.Votes) == 1 })
	if v := rel.Status.Votes[0]; !v.Counted || v.User != email("alice") || rel.Status.Approvals != "1/2" {
		t.Errorf("%s; want alice's vote to count, and 1/2", standing(rel))
	}
	receipt := rel.Annotations[v1alpha1.ReceiptPrefix+"alice"]
	if !strings.HasPrefix(receipt, "v1 "+email("alice")+" "+digest+" ") {
		t.Errorf("the receipt is %q", receipt)
	}
	refused(t, "mallory votes in alice's slot", s.vote(t, "mallory", "alice", "reject:"+digest), "alice", email("alice"))
	refused(t, "alice votes in two slots", s.vote(t, "alice", "alice2", digest), "alice")
	if err := s.vote(t, "mallory", "alice", ""); err == nil && s.release(t).Annotations[v1alpha1.VotePrefix+"alice"] == "" {
		t.Error("mallory withdrew alice's vote")
	}
}

// votesOnChange: a change leaves votes where they are and voids them.
func (s *shop) votesOnChange(t *testing.T, before string) (after string) {
	s.mustApply(t, "dana", s.manifest(t, "v2"))
	after = s.awaitCandidate(t)
	if after == before {
		t.Fatal("other content has the same digest")
	}
	rel := s.await(t, "alice's vote is judged again", func(r *v1alpha1.Release) bool {
		return len(r.Status.Votes) == 1 && !r.Status.Votes[0].Counted
	})
	if rel.Annotations[v1alpha1.VotePrefix+"alice"] != before {
		t.Error("alice's vote is gone")
	}
	if got := rel.Annotations[v1alpha1.AuthorsAnnotation]; got != `["dana@example.com","dev@example.com"]` {
		t.Errorf("authors are %s, want dana and dev", got)
	}
	t.Run("sec/30 content that changes under a vote", func(t *testing.T) {
		refused(t, "a vote on what was there before", s.vote(t, "bob", "bob", before), after)
	})
	refused(t, "the second author approves", s.vote(t, "dana", "dana", after), "changed the content and cannot approve it")
	return after
}
