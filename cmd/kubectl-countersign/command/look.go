// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/cmd/kubectl-countersign/show"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func (p *plugin) statusCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "status [RELEASE]", Short: "What serves, what is the candidate, and what it waits for", ValidArgsFunction: p.names, Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			switch {
			case len(args) == 0 && follow:
				return errors.New("say which Release to watch: kubectl countersign status RELEASE --watch")
			case len(args) == 0:
				return p.all(cmd.Context(), s)
			case follow:
				return p.watch(cmd.Context(), s, args[0])
			}
			return p.status(cmd.Context(), s, args[0])
		},
	}
	cmd.Flags().BoolVarP(&follow, "watch", "w", false, "go on, and write it again whenever it changes")
	return cmd
}

func (p *plugin) status(ctx context.Context, s *Session, name string) error {
	w, err := s.world(ctx, name)
	if err != nil {
		return err
	}
	return p.print(show.StatusOf(w))
}

func (p *plugin) all(ctx context.Context, s *Session) error {
	var list v1alpha1.ReleaseList
	if err := s.Client.List(ctx, &list, client.InNamespace(s.Namespace)); err != nil {
		return s.told(err, "list", "releases")
	}
	return p.print(show.OverviewOf(s.Namespace, list.Items))
}

// watch writes the status again whenever it is another. It ends with its context.
func (p *plugin) watch(ctx context.Context, s *Session, name string) error {
	last := ""
	for ctx.Err() == nil {
		events, err := s.Client.Watch(ctx, &v1alpha1.ReleaseList{}, client.InNamespace(s.Namespace),
			client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", name)})
		if err != nil {
			return s.told(err, "watch", "releases")
		}
		last, err = p.follow(ctx, s, name, last, events.ResultChan())
		events.Stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// follow goes on until the API server ends the watch, or the context ends.
func (p *plugin) follow(ctx context.Context, s *Session, name, last string, events <-chan watch.Event) (string, error) {
	for {
		var err error
		if last, err = p.again(ctx, s, name, last); err != nil {
			return last, err
		}
		select {
		case <-ctx.Done():
			return last, nil
		case _, open := <-events:
			if !open {
				return last, nil
			}
		}
	}
}

// again writes the status if it is not what was written last.
func (p *plugin) again(ctx context.Context, s *Session, name, last string) (string, error) {
	w, err := s.world(ctx, name)
	if ctx.Err() != nil {
		return last, nil // whoever watches has seen enough
	}
	if err != nil {
		return last, err
	}
	status := show.StatusOf(w)
	raw, err := json.Marshal(status)
	if err != nil || string(raw) == last {
		return last, err
	}
	switch {
	case last != "" && p.terminal.Colour:
		_, _ = fmt.Fprint(p.Out, "\x1b[H\x1b[2J") // from the top of an empty screen
	case last != "":
		p.say("---")
	}
	return string(raw), p.print(status)
}

func (p *plugin) explainCommand() *cobra.Command {
	return p.about("explain", "Why each vote counts or not, and who could still approve", func(cmd *cobra.Command, s *Session, name string) error {
		w, err := s.world(cmd.Context(), name)
		if err != nil {
			return err
		}
		if err := s.people(cmd.Context(), w); err != nil {
			return err
		}
		return p.print(show.ExplanationOf(w))
	})
}

func (p *plugin) diffCommand() *cobra.Command {
	return p.about("diff", "What exactly would be approved, and whether the digest is that of it", func(cmd *cobra.Command, s *Session, name string) error {
		w, err := s.world(cmd.Context(), name)
		if err != nil {
			return err
		}
		if err := s.contents(cmd.Context(), w); err != nil {
			return err
		}
		return p.print(show.DiffOf(w))
	})
}

func (p *plugin) historyCommand() *cobra.Command {
	return p.about("history", "What was switched to, by whom, and what can be gone back to", func(cmd *cobra.Command, s *Session, name string) error {
		rel, err := s.release(cmd.Context(), name)
		if err != nil {
			return err
		}
		return p.print(show.HistoryOf(&show.World{Release: *rel}))
	})
}

func (p *plugin) policiesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "policies", Short: "Who has to agree in a namespace, and when", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			var policies v1alpha1.ApprovalPolicyList
			err = s.Client.List(cmd.Context(), &policies)
			if apierrors.IsForbidden(err) {
				return fmt.Errorf("you may not list ApprovalPolicies, which belong to the whole cluster; ask for ClusterRole release-viewer by a ClusterRoleBinding (%w)", err)
			}
			if err != nil {
				return s.told(err, "list", "approvalpolicies")
			}
			return p.print(show.PoliciesOf(policies.Items, s.Namespace, s.Now()))
		},
	}
}
