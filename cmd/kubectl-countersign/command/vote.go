// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/cmd/kubectl-countersign/show"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/receipt"
	"github.com/spf13/cobra"
)

// decision is a way to vote.
type decision struct {
	verb, does, short, prefix string
}

var (
	approve = decision{"approve", "approves", "Let the candidate through, as far as you are concerned", ""}
	reject  = decision{"reject", "rejects", "Keep the candidate out, if a rule lets you veto", v1alpha1.RejectPrefix}
)

func (p *plugin) voteCommand(d decision) *cobra.Command {
	var digest, comment string
	cmd := p.about(d.verb, d.short, func(cmd *cobra.Command, s *Session, name string) error {
		return p.vote(cmd.Context(), s, d, name, digest, comment)
	})
	cmd.Flags().StringVar(&digest, "digest", "", "the whole digest of the candidate that you have looked at; on a terminal you are asked instead")
	cmd.Flags().StringVarP(&comment, "comment", "m", "", "a remark beside the vote, in one line")
	return cmd
}

func (p *plugin) vote(ctx context.Context, s *Session, d decision, name, digest, comment string) error {
	w, err := s.world(ctx, name)
	if err != nil {
		return err
	}
	current, err := votable(&w.Release)
	if err != nil {
		return err
	}
	if digest != "" && digest != current {
		return fmt.Errorf("%s is not the candidate, which is %s; look at what it is now: %s", digest, current, show.Line(&w.Release, "diff"))
	}
	if err := s.contents(ctx, w); err != nil {
		return err
	}
	diff := show.DiffOf(w)
	if digest == "" {
		_, _ = fmt.Fprintln(p.Out, diff.Text(p.style()))
	}
	if d == approve && diff.Digest.Computed != "" && !diff.Digest.Matches {
		return fmt.Errorf("the digest is not that of what stands there, so that nothing was voted on; see where it differs: %s; to approve it all the same: kubectl annotate release %s -n %s %s<you>=%s",
			show.Line(&w.Release, "diff"), name, s.Namespace, v1alpha1.VotePrefix, current)
	}
	if digest == "" {
		if err := p.confirm(d, &w.Release, current); err != nil {
			return err
		}
		// It may have taken a while to answer.
		if w.Release, err = s.unchanged(ctx, name, current); err != nil {
			return err
		}
	}
	slot := slotOf(&w.Release, w.Person.User)
	annotations := map[string]any{v1alpha1.VotePrefix + slot: d.prefix + current}
	if comment != "" {
		annotations[v1alpha1.CommentPrefix+slot] = comment
	}
	if err := s.annotate(ctx, &w.Release, annotations); err != nil {
		return err
	}
	p.say("%s %s %s of Release %s in slot %s.", w.Person.User, d.does, current, name, slot)
	p.say("To see what it comes to: %s", show.Line(&w.Release, "explain"))
	p.say("To take it back: %s", show.Line(&w.Release, "withdraw"))
	return nil
}

// votable is the digest that can be voted on.
func votable(rel *v1alpha1.Release) (string, error) {
	c := rel.Status.Candidate
	switch {
	case c == nil:
		return "", fmt.Errorf("Release %s has no candidate to vote on; see how it stands: %s", rel.Name, show.Line(rel, "status"))
	case c.Halted != nil:
		return "", fmt.Errorf("the candidate of Release %s was given up (%s); see what to do: %s", rel.Name, c.Halted.Reason, show.Line(rel, "status"))
	case c.Digest == "" || c.ObservedGeneration != rel.Generation:
		return "", fmt.Errorf("the candidate of Release %s has no digest yet; wait until it has: %s", rel.Name, show.Line(rel, "status", "--watch"))
	}
	return c.Digest, nil
}

// confirm asks whoever sits at the terminal. Without one the digest has to be named.
func (p *plugin) confirm(d decision, rel *v1alpha1.Release, digest string) error {
	if !p.terminal.Asks {
		return fmt.Errorf("there is no terminal to ask on, so that nothing was voted on; say which content you mean: %s", show.Line(rel, d.verb, "--digest", digest))
	}
	_, _ = fmt.Fprintf(p.Out, "%s%s %s of Release %s in namespace %s? [y/N] ", strings.ToUpper(d.verb[:1]), d.verb[1:], digest, rel.Name, rel.Namespace)
	answer, _ := bufio.NewReader(p.In).ReadString('\n') // no answer is no
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return fmt.Errorf("nothing was voted on; to do so without being asked: %s", show.Line(rel, d.verb, "--digest", digest))
	}
	return nil
}

// unchanged is the Release, if the candidate is still the one that was shown.
func (s *Session) unchanged(ctx context.Context, name, digest string) (v1alpha1.Release, error) {
	rel, err := s.release(ctx, name)
	if err != nil {
		return v1alpha1.Release{}, err
	}
	current, err := votable(rel)
	if err != nil {
		return *rel, fmt.Errorf("nothing was voted on, because it changed meanwhile: %w", err)
	}
	if current != digest {
		return *rel, fmt.Errorf("nothing was voted on, because it changed meanwhile: the candidate is %s now; look at it: %s", current, show.Line(rel, "diff"))
	}
	return *rel, nil
}

// slotOf is the slot that the user votes in: the one they have, or one named after
// them.
func slotOf(rel *v1alpha1.Release, user string) string {
	if slot, owns := owned(rel, user); owns {
		return slot
	}
	return approval.Slot(user, func(slot string) bool {
		_, taken := rel.Annotations[v1alpha1.ReceiptPrefix+slot]
		return taken
	})
}

// owned is the slot whose receipt names the user.
func owned(rel *v1alpha1.Release, user string) (slot string, owns bool) {
	for _, key := range slices.Sorted(maps.Keys(rel.Annotations)) {
		slot, is := strings.CutPrefix(key, v1alpha1.ReceiptPrefix)
		if owner, named := receipt.Owner(rel.Annotations[key]); is && named && owner == user {
			return slot, true
		}
	}
	return "", false
}

// ownVote is the slot of the user, in which there is a vote.
func (s *Session) ownVote(ctx context.Context, name string) (*v1alpha1.Release, string, error) {
	rel, err := s.release(ctx, name)
	if err != nil {
		return nil, "", err
	}
	person, err := s.WhoAmI(ctx)
	if err != nil {
		return nil, "", err
	}
	slot, owns := owned(rel, person.User)
	if _, votes := rel.Annotations[v1alpha1.VotePrefix+slot]; !owns || !votes {
		return nil, "", fmt.Errorf("%s has no vote on Release %s; see who has: %s", person.User, name, show.Line(rel, "explain"))
	}
	return rel, slot, nil
}

func (p *plugin) withdrawCommand() *cobra.Command {
	return p.about("withdraw", "Take your vote back", func(cmd *cobra.Command, s *Session, name string) error {
		rel, slot, err := s.ownVote(cmd.Context(), name)
		if err != nil {
			return err
		}
		if err := s.annotate(cmd.Context(), rel, map[string]any{v1alpha1.VotePrefix + slot: nil}); err != nil {
			return err
		}
		p.say("The vote in slot %s of Release %s is withdrawn.", slot, name)
		p.say("To see what that comes to: %s", show.Line(rel, "explain"))
		return nil
	})
}

func (p *plugin) commentCommand() *cobra.Command {
	var message string
	cmd := p.about("comment", "Write a remark beside your vote", func(cmd *cobra.Command, s *Session, name string) error {
		if message == "" {
			return fmt.Errorf("say what: kubectl countersign comment %s -n %s -m \"...\"", name, s.Namespace)
		}
		rel, slot, err := s.ownVote(cmd.Context(), name)
		if err != nil {
			return err
		}
		if err := s.annotate(cmd.Context(), rel, map[string]any{v1alpha1.CommentPrefix + slot: message}); err != nil {
			return err
		}
		p.say("The comment stands beside the vote in slot %s of Release %s.", slot, name)
		return nil
	})
	cmd.Flags().StringVarP(&message, "comment", "m", "", "the remark, in one line")
	return cmd
}
