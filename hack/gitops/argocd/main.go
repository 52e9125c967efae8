// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command argocd does what Argo CD's controller and server do with an application,
// by their own code: it compares and syncs by gitops-engine, and runs health and
// actions in Argo CD's Lua sandbox. It is a module of its own, with the Kubernetes
// libraries that Argo CD pins.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	synccommon "github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	argodiff "github.com/argoproj/argo-cd/v3/util/argo/diff"
	"github.com/argoproj/argo-cd/v3/util/argo/normalizers"
	kubeutil "github.com/argoproj/argo-cd/v3/util/kube"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
	jsonpatch "github.com/evanphx/json-patch"
	"github.com/go-logr/logr"
	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/countersign/countersign/hack/gitops/engine"
)

// Modes of an application: its sync and compare options. None of them: it is applied
// client-side.
const (
	serverSide     = "server-side"      // ServerSideApply=true
	serverSideDiff = "server-side-diff" // ServerSideApply=true, and ServerSideDiff=true to compare
	replace        = "replace"          // Replace=true
)

func main() {
	controller := flag.String("controller", "", "kubeconfig of the account that syncs")
	server := flag.String("server", "", "kubeconfig of the account that runs actions")
	customizations := flag.String("argocd-cm", "", "file with the ConfigMap argocd-cm")
	flag.Parse()
	logrus.SetOutput(io.Discard)
	if err := serve(*controller, *server, *customizations); err != nil {
		fmt.Fprintln(os.Stderr, "argocd:", err)
		os.Exit(1)
	}
}

func serve(controller, server, customizations string) error {
	a, err := newArgo(controller, server, customizations)
	if err != nil {
		return err
	}
	defer a.cleanup()
	return engine.Serve(a.handle)
}

// argo is an Argo CD for one application after the other.
type argo struct {
	controller, server *rest.Config
	kubectl            kube.Kubectl
	overrides          map[string]v1alpha1.ResourceOverride
	parser             *managedfields.GvkParser
	dryRun             diff.KubeApplier
	cleanup            func() // of the kubeconfig that dry-runs are made with
}

func newArgo(controller, server, customizations string) (a *argo, err error) {
	a = &argo{kubectl: kubeutil.NewKubectl()}
	if a.controller, err = clientcmd.BuildConfigFromFlags("", controller); err != nil {
		return nil, err
	}
	if a.server, err = clientcmd.BuildConfigFromFlags("", server); err != nil {
		return nil, err
	}
	for _, config := range []*rest.Config{a.controller, a.server} {
		config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	}
	if a.overrides, err = overridesIn(customizations); err != nil {
		return nil, fmt.Errorf("read %s: %w", customizations, err)
	}
	if _, a.parser, err = a.kubectl.LoadOpenAPISchema(a.controller); err != nil {
		return nil, err
	}
	a.dryRun, a.cleanup, err = kubeutil.ManageServerSideDiffDryRuns(a.controller, nil)
	return a, err
}

// overridesIn reads the ConfigMap as Argo CD does.
func overridesIn(file string) (map[string]v1alpha1.ResourceOverride, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var configMap corev1.ConfigMap
	if err := yaml.UnmarshalStrict(raw, &configMap); err != nil {
		return nil, err
	}
	configMap.Namespace, configMap.Labels = "argocd", map[string]string{"app.kubernetes.io/part-of": "argocd"}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: common.ArgoCDSecretName}}
	return settings.NewSettingsManager(context.Background(), fake.NewClientset(&configMap, secret), "argocd").GetResourceOverrides()
}

func (a *argo) handle(request engine.Request) (engine.Answer, error) {
	git, err := objects(request.Git)
	if err != nil {
		return engine.Answer{}, err
	}
	ctx := context.Background()
	switch request.Do {
	case engine.Sync:
		if err := a.sync(ctx, request.Mode, git, false); err != nil {
			return engine.Answer{}, err
		}
		return a.compare(ctx, request.Mode, git)
	case engine.Compare:
		return a.compare(ctx, request.Mode, git)
	case engine.Prune:
		return engine.Answer{}, a.sync(ctx, request.Mode, git, true)
	}
	live := &unstructured.Unstructured{}
	if err := live.UnmarshalJSON(request.Live); err != nil {
		return engine.Answer{}, fmt.Errorf("read the live object: %w", err)
	}
	switch request.Do {
	case engine.Judge:
		return a.judge(live)
	case engine.Act:
		return engine.Answer{}, a.act(ctx, live, request.Action)
	}
	return engine.Answer{}, fmt.Errorf("nobody can %q", request.Do)
}

func objects(raw []json.RawMessage) (all []*unstructured.Unstructured, err error) {
	for _, text := range raw {
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON(text); err != nil {
			return nil, fmt.Errorf("read what is in Git: %w", err)
		}
		// This is how the application knows its own.
		annotations := o.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		gvk := o.GroupVersionKind()
		annotations[common.AnnotationKeyAppInstance] = fmt.Sprintf("shop:%s/%s:%s/%s", gvk.Group, gvk.Kind, o.GetNamespace(), o.GetName())
		o.SetAnnotations(annotations)
		all = append(all, o)
	}
	return all, nil
}

// reconciled are the objects in Git beside those that live, or those that live alone
// when they are to be pruned.
func (a *argo) reconciled(ctx context.Context, git []*unstructured.Unstructured, prune bool) (sync.ReconciliationResult, error) {
	live := map[kube.ResourceKey]*unstructured.Unstructured{}
	for _, o := range git {
		got, err := a.kubectl.GetResource(ctx, a.controller, o.GroupVersionKind(), o.GetName(), o.GetNamespace())
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return sync.ReconciliationResult{}, err
		}
		live[kube.GetResourceKey(o)] = got
	}
	if prune {
		git = nil
	}
	return sync.Reconcile(git, live, "", allNamespaced{}), nil
}

// allNamespaced knows the scope of what is synced here.
type allNamespaced struct{}

func (allNamespaced) IsNamespaced(schema.GroupKind) (bool, error) { return true, nil }

// sync is one operation, with the options that Argo CD's controller gives it.
func (a *argo) sync(ctx context.Context, mode string, git []*unstructured.Unstructured, prune bool) error {
	result, err := a.reconciled(ctx, git, prune)
	if err != nil {
		return err
	}
	operation, cleanup, err := sync.NewSyncContext("1", result, a.controller, a.controller, a.kubectl, "",
		sync.WithLogr(logr.Discard()),
		sync.WithHealthOverride(lua.ResourceHealthOverrides(a.overrides)),
		sync.WithOperationSettings(false, prune, false, false),
		sync.WithReplace(mode == replace),
		sync.WithServerSideApply(mode == serverSide || mode == serverSideDiff),
		sync.WithServerSideApplyManager(common.ArgoCDSSAManager),
		sync.WithClientSideApplyMigration(true, ""),
	)
	if err != nil {
		return err
	}
	defer cleanup()
	operation.Sync()
	phase, message, resources := operation.GetState()
	if phase == synccommon.OperationRunning && !prune {
		operation.Sync() // the wave after the first, if that is healthy
		phase, message, resources = operation.GetState()
	}
	if phase == synccommon.OperationSucceeded || prune && phase == synccommon.OperationRunning {
		return nil
	}
	for _, r := range resources {
		message += fmt.Sprintf("\n%s: %s: %s", r.ResourceKey, r.Status, r.Message)
	}
	return fmt.Errorf("the operation is %s: %s", phase, message)
}

// compare is what Argo CD calls OutOfSync: as the mode compares, and by what the API
// server says of a dry-run.
func (a *argo) compare(ctx context.Context, mode string, git []*unstructured.Unstructured) (engine.Answer, error) {
	var answer engine.Answer
	for _, byServer := range []bool{false, true} {
		if mode == serverSideDiff && !byServer {
			continue
		}
		result, err := a.reconciled(ctx, git, false)
		if err != nil {
			return answer, err
		}
		config, err := argodiff.NewDiffConfigBuilder().
			WithDiffSettings(nil, a.overrides, true, normalizers.IgnoreNormalizerOpts{}).
			WithTracking(common.LabelKeyAppInstance, string(v1alpha1.TrackingMethodAnnotation)).
			WithNoCache().
			WithGVKParser(a.parser).
			WithManager(common.ArgoCDSSAManager).
			WithStructuredMergeDiff(mode == serverSide).
			WithServerSideDiff(byServer).
			WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(a.dryRun)).
			Build()
		if err != nil {
			return answer, err
		}
		list, err := argodiff.StateDiffs(result.Live, result.Target, config)
		if err != nil {
			return answer, err
		}
		for _, d := range list.Diffs {
			if !d.Modified {
				continue
			}
			patch, err := jsonpatch.CreateMergePatch(d.NormalizedLive, d.PredictedLive)
			if err != nil {
				return answer, err
			}
			answer.Diffs = append(answer.Diffs, fmt.Sprintf("server-side diff %t: %s", byServer, patch))
		}
	}
	return answer, nil
}

// judge is the health, and what can be done.
func (a *argo) judge(live *unstructured.Unstructured) (engine.Answer, error) {
	health, err := lua.ResourceHealthOverrides(a.overrides).GetResourceHealth(live)
	if err != nil {
		return engine.Answer{}, err
	}
	if health == nil {
		return engine.Answer{}, errors.New("nothing says how healthy it is")
	}
	machine := lua.VM{ResourceOverrides: a.overrides}
	discovery, err := machine.GetResourceActionDiscovery(live)
	if err != nil {
		return engine.Answer{}, err
	}
	actions, err := machine.ExecuteResourceActionDiscovery(live, discovery)
	if err != nil {
		return engine.Answer{}, err
	}
	answer := engine.Answer{Verdicts: map[string]string{"health": string(health.Status)}, Message: health.Message}
	for _, action := range actions {
		if !action.Disabled {
			answer.Actions = append(answer.Actions, action.Name)
		}
	}
	slices.Sort(answer.Actions)
	return answer, nil
}

// act runs an action and patches what it changed, as Argo CD's server does.
func (a *argo) act(ctx context.Context, live *unstructured.Unstructured, name string) error {
	machine := lua.VM{ResourceOverrides: a.overrides}
	action, err := machine.GetResourceAction(live, name)
	if err != nil {
		return err
	}
	before, err := json.Marshal(live)
	if err != nil {
		return err
	}
	impacted, err := machine.ExecuteResourceAction(live, action.ActionLua, nil)
	if err != nil {
		return err
	}
	for _, i := range impacted {
		if i.K8SOperation != lua.PatchOperation {
			return fmt.Errorf("action %s wants to %s", name, i.K8SOperation)
		}
		after, err := json.Marshal(i.UnstructuredObj)
		if err != nil {
			return err
		}
		patch, err := jsonpatch.CreateMergePatch(before, after)
		if err != nil {
			return err
		}
		_, err = a.kubectl.PatchResource(ctx, a.server, live.GroupVersionKind(), live.GetName(), live.GetNamespace(), types.MergePatchType, patch)
		if err != nil {
			return err
		}
	}
	return nil
}
