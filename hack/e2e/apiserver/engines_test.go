// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/cluster/identity"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// enginesVariable names the directory with the programs of the engines, which
// hack/gitops builds: they are of modules of their own.
const enginesVariable = "COUNTERSIGN_ENGINES"

// reportMark begins each line that hack/gitops shows.
const reportMark = "report: "

// tool is a GitOps engine, in one of its modes, with a shop that it keeps as in Git.
type tool struct {
	*shop
	name, mode string
	git        []*unstructured.Unstructured
	program    io.Writer
	answers    *json.Decoder
}

// request is what an engine is asked to do, and answer what came of it, as
// hack/gitops/engine has them: that is of a module that is none of this one's.
type request struct {
	Do     string            `json:"do"`
	Mode   string            `json:"mode"`
	Git    []json.RawMessage `json:"git,omitempty"`
	Live   json.RawMessage   `json:"live,omitempty"`
	Action string            `json:"action,omitempty"`
}

type answer struct {
	Error    string            `json:"error"`
	Diffs    []string          `json:"diffs"`
	Verdicts map[string]string `json:"verdicts"`
	Message  string            `json:"message"`
	Actions  []string          `json:"actions"`
}

// accounts are those that the engines act with: what syncs may do everything, and what
// runs actions may look, patch and delete, as an install of each has it.
var accounts = []string{"argocd/argocd-application-controller", "argocd/argocd-server", "flux-system/kustomize-controller"}

// openTools starts every engine in every mode.
func openTools(t *testing.T) []*tool {
	t.Helper()
	programs := os.Getenv(enginesVariable)
	if programs == "" {
		t.Skip("the engines are built first: make test-gitops")
	}
	w := whole.start(t)
	directory := t.TempDir()
	w.install(t, []*unstructured.Unstructured{object(t, "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: argocd-server}\n"+
		"rules: [{apiGroups: ['*'], resources: ['*'], verbs: [get, patch, delete]}]")})
	w.giveAccount(t, accounts[0], "cluster-admin", directory)
	w.giveAccount(t, accounts[1], "argocd-server", directory)
	w.giveAccount(t, accounts[2], "cluster-admin", directory)
	argo := []string{filepath.Join(programs, "argocd"),
		"-controller", kubeconfigOf(directory, accounts[0]), "-server", kubeconfigOf(directory, accounts[1]),
		"-argocd-cm", filepath.Join(configDirectory, "gitops/argocd/argocd-cm.yaml")}
	flux := []string{filepath.Join(programs, "flux"),
		"-kubeconfig", kubeconfigOf(directory, accounts[2]), "-examples", filepath.Join(configDirectory, "gitops/flux")}
	return []*tool{
		openTool(t, "argocd", "client-side", argo...),
		openTool(t, "argocd", "server-side", argo...),
		openTool(t, "argocd", "server-side-diff", argo...),
		openTool(t, "argocd", "replace", argo...),
		openTool(t, "flux", "server-side", flux...),
	}
}

// giveAccount makes a ServiceAccount with a ClusterRole, and its kubeconfig.
func (w *world) giveAccount(t *testing.T, account, role, directory string) {
	t.Helper()
	namespace, name, _ := strings.Cut(account, "/")
	w.install(t, []*unstructured.Unstructured{
		object(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+namespace+"}"),
		object(t, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: "+name+", namespace: "+namespace+"}"),
		object(t, "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: "+name+"}\n"+
			"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "+role+"}\n"+
			"subjects: [{kind: ServiceAccount, name: "+name+", namespace: "+namespace+"}]"),
	})
	config, err := w.plane.ServiceAccountConfig(within(t), namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := identity.NewKubeconfig(config.Host, w.plane.CA())
	identity.AddToken(kubeconfig, name, config.BearerToken)
	if err := identity.WriteKubeconfig(kubeconfig, kubeconfigOf(directory, account)); err != nil {
		t.Fatal(err)
	}
}

func kubeconfigOf(directory, account string) string {
	_, name, _ := strings.Cut(account, "/")
	return filepath.Join(directory, name)
}

func openTool(t *testing.T, name, mode string, command ...string) *tool {
	t.Helper()
	e := &tool{shop: openShop(t), name: name, mode: mode}
	e.oneMore(t) // content of a program wants one more
	e.trust(t)
	program := exec.CommandContext(within(t), command[0], command[1:]...)
	program.Stderr = t.Output()
	in, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // which ends it
		if err := program.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	e.program, e.answers = in, json.NewDecoder(bufio.NewReader(out))
	return e
}

// trust lets the engines say for whom they write.
func (e *tool) trust(t *testing.T) {
	t.Helper()
	delegates := []any{fieldsOf{"serviceAccount": accounts[0]}, fieldsOf{"serviceAccount": accounts[2]}}
	e.tampered(t, "approvalpolicies", "", e.namespace, set("spec.trustedDelegates", delegates))
}

// ask has the engine do something.
func (e *tool) ask(r request) (a answer, err error) {
	r.Mode = e.mode
	if err := json.NewEncoder(e.program).Encode(r); err != nil {
		return a, fmt.Errorf("ask to %s: %w", r.Do, err)
	}
	if err := e.answers.Decode(&a); err != nil {
		return a, fmt.Errorf("read what came of %s: %w", r.Do, err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

func (e *tool) mustAsk(t *testing.T, r request) answer {
	t.Helper()
	a, err := e.ask(r)
	if err != nil {
		t.Fatalf("%s: %v", r.Do, err)
	}
	return a
}

func (e *tool) inGit(t *testing.T) (all []json.RawMessage) {
	t.Helper()
	for _, o := range e.git {
		all = append(all, asJSON(t, o))
	}
	return all
}

func (e *tool) live(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	o, err := e.admin.resource("releases", e.namespace).Get(within(t), shopName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// asJSON is an object as an engine is given it.
func asJSON(t *testing.T, o *unstructured.Unstructured) json.RawMessage {
	t.Helper()
	raw, err := o.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// push is a commit that is synced.
func (e *tool) push(t *testing.T, version string, changes ...func(*unstructured.Unstructured)) {
	t.Helper()
	o := e.manifest(t, version)
	all(append([]func(*unstructured.Unstructured){unsized, e.asPeopleWrite}, changes...)...)(o)
	e.git = []*unstructured.Unstructured{o}
	if e.mode != "replace" { // it would take the selector away
		e.git = append(e.git, e.serviceInGit(t))
	}
	e.sync(t)
}

// sync brings the cluster to what is in Git. What replaces an object that the
// operator writes at this moment tries again.
func (e *tool) sync(t *testing.T) (a answer) {
	t.Helper()
	eventually(t, "it is synced", func() string {
		var err error
		a, err = e.ask(request{Do: "sync", Git: e.inGit(t)})
		if err != nil && !strings.Contains(err.Error(), "the object has been modified") {
			t.Fatal(err)
		}
		return text(err)
	})
	return a
}

// unsized leaves the size to an autoscaler.
func unsized(o *unstructured.Unstructured) {
	unstructured.RemoveNestedField(o.Object, "spec", "replicas")
}

// asPeopleWrite has what is stored otherwise than it is written, or could be: defaults
// inside lists, quantities, empty maps. Argo CD takes a default inside a list for a
// difference if it compares a server-side apply by itself, of whatever custom resource.
func (e *tool) asPeopleWrite(o *unstructured.Unstructured) {
	port := func(more fieldsOf) fieldsOf {
		if e.name == "argocd" && e.mode == "server-side" {
			more["protocol"] = "TCP"
		}
		return more
	}
	containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
	maps.Copy(containers[0].(fieldsOf), fieldsOf{
		"ports":          []any{port(fieldsOf{"name": "http", "containerPort": int64(8080)})},
		"env":            []any{fieldsOf{"name": "EMPTY", "value": ""}, fieldsOf{"name": "MODE", "value": "shop"}},
		"resources":      fieldsOf{"requests": fieldsOf{"cpu": "0.1", "memory": "0.0625Gi"}, "limits": fieldsOf{"cpu": "1000m"}},
		"readinessProbe": fieldsOf{"httpGet": fieldsOf{"path": "/readyz", "port": "http"}},
		"volumeMounts":   []any{fieldsOf{"name": "scratch", "mountPath": "/scratch"}},
	})
	set("spec.template.spec.containers", containers)(o)
	set("spec.template.spec.volumes", []any{fieldsOf{"name": "scratch", "emptyDir": fieldsOf{}}})(o)
	set("spec.services", []any{fieldsOf{"name": shopName, "ports": []any{port(fieldsOf{"name": "http", "port": int64(80), "targetPort": int64(8080)})}}})(o)
	tested(nil)(o)
}

// syncs is how often what is there already is synced once more.
const syncs = 3

// keepsInSync syncs what is in Git again and again. Nothing may be different after,
// nothing that is not in Git may be lost, and once it was synced nothing is written any
// more.
func (e *tool) keepsInSync(t *testing.T, lost *losses) {
	t.Helper()
	before := e.live(t)
	last := before
	for n := range syncs {
		for _, d := range e.sync(t).Diffs {
			lost.diffs++
			t.Errorf("after sync %d: %s", n+1, d)
		}
		now := e.live(t)
		if n > 0 && written(last, now) {
			lost.diffs++
			t.Errorf("sync %d wrote again: resourceVersion %s after %s", n+1, now.GetResourceVersion(), last.GetResourceVersion())
		}
		last = now
	}
	if before.GetGeneration() != last.GetGeneration() {
		lost.diffs++
		t.Errorf("generation was %d and is %d", before.GetGeneration(), last.GetGeneration())
	}
	if len(last.GetFinalizers()) != 1 {
		t.Errorf("finalizers are %v", last.GetFinalizers())
	}
	for key, value := range before.GetAnnotations() {
		if got := last.GetAnnotations()[key]; (mustStay(key) || key == remarked && e.mode != "replace") && got != value {
			lost.votes++
			t.Errorf("annotation %s was %q and is %q", key, value, got)
		}
	}
}

// written tells whether anything but the status, which is the operator's, was written
// between two readings.
func written(before, after *unstructured.Unstructured) bool {
	if before.GetResourceVersion() == after.GetResourceVersion() {
		return false
	}
	if reflect.DeepEqual(before.Object["status"], after.Object["status"]) {
		return true
	}
	rest := func(o *unstructured.Unstructured) map[string]any {
		o = o.DeepCopy()
		o.SetResourceVersion("")
		o.SetManagedFields(slices.DeleteFunc(o.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool { return f.Subresource == "status" }))
		delete(o.Object, "status")
		return o.Object
	}
	return !reflect.DeepEqual(rest(before), rest(after))
}

// mustStay tells the annotations that no sync may lose: votes and what is asked for,
// each with what admission wrote beside it, and the authors.
func mustStay(key string) bool {
	return slices.ContainsFunc([]string{
		v1alpha1.VotePrefix, v1alpha1.ReceiptPrefix, v1alpha1.CommentPrefix, v1alpha1.AuthorsAnnotation, v1alpha1.AuthorsReceiptAnnotation,
		v1alpha1.RollbackAnnotation, v1alpha1.AbortAnnotation, v1alpha1.RetryAnnotation, v1alpha1.RestartAnnotation,
	}, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

// remarked is an annotation that is not in Git.
const remarked = "example.com/remarked"

// losses are what the last line of the report counts.
type losses struct{ diffs, votes int }

// judged is what the engine has to say, as the report shows them.
func (e *tool) judged(t *testing.T) (verdicts string, actions []string) {
	t.Helper()
	a := e.mustAsk(t, request{Do: "judge", Live: asJSON(t, e.live(t))})
	t.Logf("%s: %s", a.Verdicts, a.Message)
	var list []string
	for _, who := range slices.Sorted(maps.Keys(a.Verdicts)) {
		list = append(list, who+" "+a.Verdicts[who])
	}
	return strings.Join(list, ", "), a.Actions
}
