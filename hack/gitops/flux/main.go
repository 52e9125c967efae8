// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command flux does what Flux's kustomize-controller does with the objects of a
// Kustomization, by its own libraries: it applies them and takes over what kubectl
// wrote, finds drift, and asks kstatus and health check expressions how they are. It
// is a module of its own, because nothing else here needs those.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/countersign/countersign/hack/gitops/engine"
)

// controller is the name that kustomize-controller writes with.
const controller = "kustomize-controller"

func main() {
	kubeconfig := flag.String("kubeconfig", "", "of the account that applies")
	examples := flag.String("examples", "", "directory with Kustomizations that have health check expressions")
	flag.Parse()
	f, err := newFlux(*kubeconfig, *examples)
	if err == nil {
		err = engine.Serve(f.handle)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "flux:", err)
		os.Exit(1)
	}
}

type flux struct {
	manager *ssa.ResourceManager
	// checks are by the name of the example that has them.
	checks map[string]*cel.StatusEvaluator
}

func newFlux(kubeconfig, examples string) (*flux, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	c, err := client.New(config, client.Options{})
	if err != nil {
		return nil, err
	}
	f := &flux{manager: ssa.NewResourceManager(c, nil, ssa.Owner{Field: controller, Group: "kustomize.toolkit.fluxcd.io"})}
	f.checks, err = checksIn(examples)
	return f, err
}

func checksIn(directory string) (map[string]*cel.StatusEvaluator, error) {
	files, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil {
		return nil, err
	}
	checks := map[string]*cel.StatusEvaluator{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var example struct {
			Kind string `json:"kind"`
			Spec struct {
				HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal(raw, &example); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		if example.Kind != "Kustomization" {
			continue
		}
		if n := len(example.Spec.HealthCheckExprs); n != 1 {
			return nil, fmt.Errorf("%s has %d health checks; want that of a Release", file, n)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if checks[name], err = cel.NewStatusEvaluator(&example.Spec.HealthCheckExprs[0].HealthCheckExpressions); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
	}
	return checks, nil
}

func (f *flux) handle(request engine.Request) (engine.Answer, error) {
	ctx := context.Background()
	switch request.Do {
	case engine.Sync:
		return f.sync(ctx, request.Git)
	case engine.Compare:
		return f.compare(ctx, request.Git)
	case engine.Prune:
		git, err := objects(request.Git)
		if err != nil {
			return engine.Answer{}, err
		}
		_, err = f.manager.DeleteAll(ctx, git, ssa.DefaultDeleteOptions())
		return engine.Answer{}, err
	case engine.Judge:
		return f.judge(ctx, request.Live)
	}
	return engine.Answer{}, fmt.Errorf("nobody can %q", request.Do)
}

func objects(raw []json.RawMessage) (all []*unstructured.Unstructured, err error) {
	for _, text := range raw {
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON(text); err != nil {
			return nil, fmt.Errorf("read what is in Git: %w", err)
		}
		all = append(all, o)
	}
	return all, normalize.UnstructuredList(all)
}

// sync is one reconciliation: what it changed is no difference yet, what the next one
// would change is.
func (f *flux) sync(ctx context.Context, raw []json.RawMessage) (engine.Answer, error) {
	git, err := objects(raw)
	if err != nil {
		return engine.Answer{}, err
	}
	f.manager.SetOwnerLabels(git, "shop", "flux-system")
	changes, err := f.manager.ApplyAllStaged(ctx, git, options())
	if err != nil {
		return engine.Answer{}, err
	}
	answer, err := f.compare(ctx, raw)
	for _, entry := range changes.Entries {
		if entry.Action != ssa.UnchangedAction {
			answer.Message += entry.String() + " "
		}
	}
	return answer, err
}

// options are those of kustomize-controller: before it applies, what kubectl wrote
// becomes its own, so that what is not in Git goes.
func options() ssa.ApplyOptions {
	options := ssa.DefaultApplyOptions()
	for _, m := range []struct {
		name      string
		operation metav1.ManagedFieldsOperationType
	}{
		{"kubectl", metav1.ManagedFieldsOperationApply},
		{"kubectl", metav1.ManagedFieldsOperationUpdate},
		{"before-first-apply", metav1.ManagedFieldsOperationUpdate},
		{controller, metav1.ManagedFieldsOperationUpdate},
	} {
		options.Cleanup.FieldManagers = append(options.Cleanup.FieldManagers, ssa.FieldManager{Name: m.name, OperationType: m.operation})
	}
	options.Cleanup.Annotations = []string{corev1.LastAppliedConfigAnnotation}
	return options
}

// compare is drift: what an apply would change.
func (f *flux) compare(ctx context.Context, raw []json.RawMessage) (engine.Answer, error) {
	var answer engine.Answer
	git, err := objects(raw)
	if err != nil {
		return answer, err
	}
	f.manager.SetOwnerLabels(git, "shop", "flux-system")
	for _, o := range git {
		entry, live, merged, err := f.manager.Diff(ctx, o, ssa.DefaultDiffOptions())
		if err != nil {
			return answer, err
		}
		if entry.Action != ssa.UnchangedAction {
			answer.Diffs = append(answer.Diffs, fmt.Sprintf("%s: %v, applied it would be %v", entry, live, merged))
		}
	}
	return answer, nil
}

// judge is what kstatus says, and what the expressions of each example do.
func (f *flux) judge(ctx context.Context, raw json.RawMessage) (engine.Answer, error) {
	live := &unstructured.Unstructured{}
	if err := live.UnmarshalJSON(raw); err != nil {
		return engine.Answer{}, fmt.Errorf("read the live object: %w", err)
	}
	generic, err := status.Compute(live)
	if err != nil {
		return engine.Answer{}, err
	}
	answer := engine.Answer{Verdicts: map[string]string{"kstatus": string(generic.Status)}, Message: generic.Message}
	for name, check := range f.checks {
		result, err := check.Evaluate(ctx, live)
		if err != nil {
			return answer, fmt.Errorf("%s: %w", name, err)
		}
		answer.Verdicts[name] = string(result.Status)
	}
	return answer, nil
}
