// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/cmd/kubectl-countersign/show"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldManager owns what the plugin writes. Tools that take away what kubectl wrote
// know it by the beginning of its name.
const fieldManager = "kubectl-countersign"

// annotate sets annotations; a nil value takes one away.
func (s *Session) annotate(ctx context.Context, rel *v1alpha1.Release, annotations map[string]any) error {
	return s.patch(ctx, rel, map[string]any{"metadata": map[string]any{"annotations": annotations}})
}

func (s *Session) patch(ctx context.Context, rel *v1alpha1.Release, patch map[string]any) error {
	raw, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("write the patch: %w", err)
	}
	target := &v1alpha1.Release{}
	target.Namespace, target.Name = rel.Namespace, rel.Name
	err = s.Client.Patch(ctx, target, client.RawPatch(types.MergePatchType, raw), client.FieldOwner(fieldManager))
	return s.told(err, "patch", "releases")
}

// ask sets one request and says so.
func (p *plugin) ask(ctx context.Context, s *Session, rel *v1alpha1.Release, key, value, says string) error {
	if err := s.annotate(ctx, rel, map[string]any{key: value}); err != nil {
		return err
	}
	p.say("%s", says)
	p.say("To see how it goes: %s", show.Line(rel, "status", "--watch"))
	return nil
}

func (p *plugin) rollbackCommand() *cobra.Command {
	var to string
	var irreversible bool
	cmd := p.about("rollback", "Go back, at once and without any approval", func(cmd *cobra.Command, s *Session, name string) error {
		rel, err := s.release(cmd.Context(), name)
		if err != nil {
			return err
		}
		request, target, err := rollbackTo(rel, to)
		if err != nil {
			return err
		}
		if strings.HasPrefix(request, v1alpha1.IrreversiblePrefix) && !irreversible {
			return fmt.Errorf("content that is marked irreversible would be gone back from, which may do harm; if that is known: %s", show.Line(rel, "rollback", strings.Fields("--irreversible "+toFlag(to))...))
		}
		return p.ask(cmd.Context(), s, rel, v1alpha1.RollbackAnnotation, request,
			fmt.Sprintf("Asked to go back from %s to %s.", rel.Status.Active.Digest, target))
	})
	cmd.Flags().StringVar(&to, "to", "", "content that is kept, by its epoch or the beginning of its digest; unset: the content before")
	cmd.Flags().BoolVar(&irreversible, "irreversible", false, "also from content that is marked irreversible")
	return cmd
}

func toFlag(to string) string {
	if to == "" {
		return ""
	}
	return "--to " + to
}

// rollbackTo is the request that goes back, and where it leads.
func rollbackTo(rel *v1alpha1.Release, to string) (request, target string, err error) {
	st := &rel.Status
	switch {
	case st.Active == nil:
		return "", "", fmt.Errorf("nothing was let through on Release %s yet, so that there is nothing to go back from; see how it stands: %s", rel.Name, show.Line(rel, "status"))
	case to != "":
		return keptBy(rel, to)
	case st.Former != nil:
		return st.Active.RollbackRequest(), st.Former.Digest, nil
	case st.KeptOrigin() != nil:
		return st.Active.RollbackRequest(), "Deployment " + st.KeptOrigin().Name, nil
	}
	if !slices.ContainsFunc(st.Kept, func(k v1alpha1.KeptContent) bool { return st.KeptRequest(k) != "" }) {
		return "", "", fmt.Errorf("Release %s serves %s and keeps nothing to go back to; apply the content that is to run and have it approved; what was let through before: %s", rel.Name, st.Active.Digest, show.Line(rel, "history"))
	}
	return "", "", fmt.Errorf("the content before is not held by a colour any more; say which of those that are kept: %s", show.Line(rel, "history"))
}

// shortest is how much of a digest's hex digits has to be said.
const shortest = 6

// keptBy is the one content that is kept and meant.
func keptBy(rel *v1alpha1.Release, to string) (request, target string, err error) {
	var found []v1alpha1.KeptContent
	hex := strings.TrimPrefix(to, "sha256:")
	for _, k := range rel.Status.Kept {
		byDigest := len(hex) >= shortest && strings.HasPrefix(k.Digest, "sha256:"+hex)
		if strconv.FormatInt(k.Epoch, 10) == to || byDigest {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		return "", "", fmt.Errorf("%s is %d of the contents that are kept; name one by its epoch, or by at least %d digits of its digest: %s", to, len(found), shortest, show.Line(rel, "history"))
	}
	if request = rel.Status.KeptRequest(found[0]); request == "" {
		return "", "", fmt.Errorf("%s is what serves; see what else is kept: %s", found[0].Digest, show.Line(rel, "history"))
	}
	return request, found[0].Digest, nil
}

func (p *plugin) restartCommand() *cobra.Command {
	return p.about("restart", "Make the Pods that serve anew, as what they are", func(cmd *cobra.Command, s *Session, name string) error {
		rel, err := s.release(cmd.Context(), name)
		if err != nil {
			return err
		}
		a := rel.Status.Active
		if a == nil {
			return fmt.Errorf("nothing was let through on Release %s yet, so that there are no Pods to make anew; see how it stands: %s", name, show.Line(rel, "status"))
		}
		return p.ask(cmd.Context(), s, rel, v1alpha1.RestartAnnotation, a.RestartRequest(), fmt.Sprintf("Asked to make the Pods of %s anew.", a.Colour))
	})
}

func (p *plugin) abortCommand() *cobra.Command {
	return p.candidateCommand("abort", "Give the candidate up", v1alpha1.AbortAnnotation, "Asked to give up")
}

func (p *plugin) retryCommand() *cobra.Command {
	return p.candidateCommand("retry", "Try a candidate that was given up again, as it is", v1alpha1.RetryAnnotation, "Asked to try again")
}

// candidateCommand asks for something about the candidate. Whether that can be, the
// webhook says.
func (p *plugin) candidateCommand(verb, short, key, says string) *cobra.Command {
	return p.about(verb, short, func(cmd *cobra.Command, s *Session, name string) error {
		rel, err := s.release(cmd.Context(), name)
		if err != nil {
			return err
		}
		c := rel.Status.Candidate
		if c == nil {
			return fmt.Errorf("Release %s has no candidate; see how it stands: %s", name, show.Line(rel, "status"))
		}
		return p.ask(cmd.Context(), s, rel, key, c.Name(), fmt.Sprintf("%s candidate %s.", says, c.Name()))
	})
}

func (p *plugin) pauseCommand(verb, short string, paused bool) *cobra.Command {
	return p.about(verb, short, func(cmd *cobra.Command, s *Session, name string) error {
		rel, err := s.release(cmd.Context(), name)
		if err != nil {
			return err
		}
		if rel.Spec.Paused == paused {
			p.say("Release %s: spec.paused is %t already.", name, paused)
			return nil
		}
		if err := s.patch(cmd.Context(), rel, map[string]any{"spec": map[string]any{"paused": paused}}); err != nil {
			return err
		}
		p.say("Release %s: spec.paused is %t. What is synced from Git may set it again.", name, paused)
		return nil
	})
}
