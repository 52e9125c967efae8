// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/cmd/kubectl-countersign/show"
	"github.com/countersign/countersign/config/policy"
	"github.com/countersign/countersign/config/webhook"
	"github.com/countersign/countersign/controllers/keys"
	"github.com/spf13/cobra"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

func (p *plugin) doctorCommand() *cobra.Command {
	var system string
	cmd := &cobra.Command{
		Use: "doctor [RELEASE]", Short: "Whether the gate is intact, as far as you may look", ValidArgsFunction: p.names, Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			gate, err := s.gate(cmd.Context(), system, args)
			if err != nil {
				return err
			}
			checkup := show.CheckupOf(gate)
			if err := p.print(checkup); err != nil {
				return err
			}
			if !checkup.Intact() {
				return ErrBroken
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&system, "system-namespace", "countersign-system", "namespace of the operator")
	return cmd
}

// gate reads the guards, as far as whoever asks may.
func (s *Session) gate(ctx context.Context, system string, args []string) (*show.Gate, error) {
	g := &show.Gate{
		Policies: map[string]*admissionregistrationv1.ValidatingAdmissionPolicy{},
		Bindings: map[string]*admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, Unread: map[string]string{},
	}
	var err error
	if g.Releases, err = s.asked(ctx, args); err != nil {
		return nil, err
	}
	if g.Wanted, err = shipped(); err != nil {
		return nil, err
	}
	g.WantedWebhook = &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := yaml.Unmarshal(webhook.Configuration, g.WantedWebhook); err != nil {
		return nil, fmt.Errorf("read the webhook's configuration of this version: %w", err)
	}
	var policies admissionregistrationv1.ValidatingAdmissionPolicyList
	var bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
	called, trusted, processes := &admissionregistrationv1.MutatingWebhookConfiguration{}, &corev1.ConfigMap{}, &appsv1.DeploymentList{}
	for _, part := range []struct {
		guard, resource string
		read            error
	}{
		{show.GuardPolicies, "validatingadmissionpolicies", s.Client.List(ctx, &policies)},
		{show.GuardBindings, "validatingadmissionpolicybindings", s.Client.List(ctx, &bindings)},
		{show.GuardWebhook, "mutatingwebhookconfigurations", s.Client.Get(ctx, client.ObjectKey{Name: "countersign"}, called)},
		{show.GuardKeys, "configmaps of namespace " + system, s.Client.Get(ctx, client.ObjectKey{Namespace: system, Name: keys.ConfigMapName}, trusted)},
		{show.GuardProcesses, "deployments of namespace " + system, s.Client.List(ctx, processes, client.InNamespace(system))},
	} {
		switch {
		case part.read == nil || apierrors.IsNotFound(part.read):
		case apierrors.IsForbidden(part.read):
			g.Unread[part.guard] = "you may not read " + part.resource + "; ask somebody of the platform team to run: kubectl countersign doctor"
		default:
			return nil, s.told(part.read, "get", part.resource)
		}
	}
	for i := range policies.Items {
		g.Policies[policies.Items[i].Name] = &policies.Items[i]
	}
	for i := range bindings.Items {
		g.Bindings[bindings.Items[i].Name] = &bindings.Items[i]
	}
	if called.Name != "" {
		g.Webhook = called
	}
	if trusted.Name != "" {
		g.Keys = trusted
	}
	g.Processes = processes.Items
	return g, nil
}

// asked are the Release that is named, or all of the namespace.
func (s *Session) asked(ctx context.Context, args []string) ([]v1alpha1.Release, error) {
	if len(args) == 1 {
		rel, err := s.release(ctx, args[0])
		if err != nil {
			return nil, err
		}
		return []v1alpha1.Release{*rel}, nil
	}
	var list v1alpha1.ReleaseList
	if err := s.Client.List(ctx, &list, client.InNamespace(s.Namespace)); err != nil {
		return nil, s.told(err, "list", "releases")
	}
	return list.Items, nil
}

// shipped are the names of the policies of this version.
func shipped() (names []string, err error) {
	files, err := fs.Glob(policy.Files, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the policies of this version: %w", err)
	}
	for _, file := range files {
		raw, err := policy.Files.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the policies of this version: %w", err)
		}
		decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
		for {
			var o metav1.PartialObjectMetadata
			err := decoder.Decode(&o)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("read policy %s of this version: %w", file, err)
			}
			if o.Kind == "ValidatingAdmissionPolicy" {
				names = append(names, o.Name)
			}
		}
	}
	return names, nil
}
