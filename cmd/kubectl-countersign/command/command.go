// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/cmd/kubectl-countersign/show"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// plugin is what all commands share.
type plugin struct {
	genericiooptions.IOStreams
	connect  Connect
	output   string
	terminal Terminal
}

// Terminal is what the streams lead to.
type Terminal struct {
	// Asks is true when a person reads what is written and can answer.
	Asks bool
	// Colour is true when it shows colours and they are wanted.
	Colour bool
}

// report is what a command has found.
type report interface{ Text(show.Style) string }

// New is the command kubectl countersign.
func New(streams genericiooptions.IOStreams, terminal Terminal, connect Connect) *cobra.Command {
	p := &plugin{IOStreams: streams, connect: connect, terminal: terminal}
	root := &cobra.Command{
		Use:   "kubectl-countersign",
		Short: "Look at Releases, and have a say in them",
		Long: "Look at Releases, and have a say in them.\n\n" +
			"Whatever it does is possible with plain kubectl: requests and votes are annotations.",
		SilenceUsage: true, SilenceErrors: true,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl countersign"},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			switch p.output {
			case "", "wide", "json", "yaml":
				return nil
			}
			return fmt.Errorf("-o %s is not known; it is json, yaml or wide", p.output)
		},
	}
	root.PersistentFlags().StringVarP(&p.output, "output", "o", "", "json, yaml, or wide for digests in full")
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.AddCommand(
		p.statusCommand(), p.explainCommand(), p.diffCommand(), p.historyCommand(), p.policiesCommand(), p.doctorCommand(), p.planCommand(),
		p.voteCommand(approve), p.voteCommand(reject), p.withdrawCommand(), p.commentCommand(),
		p.rollbackCommand(), p.restartCommand(), p.abortCommand(), p.retryCommand(),
		p.pauseCommand("pause", "Hold a Release where it is; a rollback still happens", true),
		p.pauseCommand("resume", "Let a Release that is paused go on", false),
	)
	return root
}

func (p *plugin) style() show.Style {
	return show.Style{Wide: p.output == "wide", Colour: p.terminal.Colour}
}

// print writes a report in the form that was asked for.
func (p *plugin) print(r report) error {
	var raw []byte
	var err error
	switch p.output {
	case "json":
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false) // it is for no browser
		encoder.SetIndent("", "  ")
		err = encoder.Encode(r)
		raw = text.Bytes()
	case "yaml":
		raw, err = yaml.Marshal(r)
	default:
		raw = []byte(r.Text(p.style()))
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err = p.Out.Write(raw)
	return err
}

func (p *plugin) say(format string, args ...any) { _, _ = fmt.Fprintf(p.Out, format+"\n", args...) }

// about is a command about one Release, whose name is its argument.
func (p *plugin) about(use, short string, run func(cmd *cobra.Command, s *Session, name string) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " RELEASE", Short: short, ValidArgsFunction: p.names,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("say which Release: kubectl countersign %s RELEASE; see which there are: kubectl countersign status", use)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			return run(cmd, s, args[0])
		},
	}
}

// names completes the name of a Release.
func (p *plugin) names(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	s, err := p.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var list v1alpha1.ReleaseList
	if err := s.Client.List(cmd.Context(), &list, client.InNamespace(s.Namespace)); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// ErrBroken is what doctor ends with when a guard is broken.
var ErrBroken = errors.New("the gate is not intact; what to do stands beside each guard")
