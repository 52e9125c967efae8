// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/cmd/kubectl-countersign/show"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func (p *plugin) planCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "plan -f FILE", Short: "What would happen if a file was applied", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, err := p.read(file)
			if err != nil {
				return err
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			return p.plan(cmd.Context(), s, raw)
		},
	}
	cmd.Flags().StringVarP(&file, "filename", "f", "", "the file; - is the standard input")
	return cmd
}

func (p *plugin) read(file string) (raw []byte, err error) {
	switch file {
	case "":
		return nil, errors.New("say which file: kubectl countersign plan -f FILE")
	case "-":
		raw, err = io.ReadAll(p.In)
	default:
		raw, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return raw, nil
}

// plan has the API server try each Release of the text, and change nothing.
func (p *plugin) plan(ctx context.Context, s *Session, raw []byte) error {
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
	found := false
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(o)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("the file is not YAML of objects: %w; look at what kubectl makes of it: kubectl apply --dry-run=client -f FILE", err)
		}
		if o.GroupVersionKind() != v1alpha1.GroupVersion.WithKind("Release") {
			continue
		}
		found = true
		if o.GetNamespace() == "" {
			o.SetNamespace(s.Namespace)
		}
		if err := p.tryOut(ctx, s, o); err != nil {
			return err
		}
	}
	if !found {
		return errors.New("there is no Release in the file; other objects are tried by: kubectl apply --dry-run=server -f FILE")
	}
	return nil
}

// tryOut applies one as a dry run, as kubectl apply --server-side would.
func (p *plugin) tryOut(ctx context.Context, s *Session, o *unstructured.Unstructured) error {
	there := *s
	there.Namespace = o.GetNamespace()
	was := &v1alpha1.Release{}
	switch err := there.Client.Get(ctx, there.key(o.GetName()), was); {
	case apierrors.IsNotFound(err) && !uninstalled(err):
		was = nil
	case err != nil:
		return there.told(err, "get", "releases")
	}
	err := there.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.DryRunAll, client.ForceOwnership, client.FieldOwner("kubectl"))
	if err != nil {
		return fmt.Errorf("Release %s would be refused: %w", o.GetName(), there.told(err, "patch", "releases"))
	}
	would := &v1alpha1.Release{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, would); err != nil {
		return fmt.Errorf("read what Release %s would be: %w", o.GetName(), err)
	}
	w := &show.World{Release: *would, Now: s.Now()}
	if err := there.people(ctx, w); err != nil {
		return err
	}
	return p.print(show.PlanOf(was, w))
}
