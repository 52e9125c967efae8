// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const namespace = "countersign-system"

type object map[string]any

func (o object) key() string {
	m := o["metadata"].(map[string]any)
	return fmt.Sprint(o["kind"], " ", m["namespace"], "/", m["name"])
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(filepath.Join(root, directory))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render gives what Helm would send, by kind and name, and the notes.
func render(t *testing.T, namespace, values string) (map[string]object, string, error) {
	t.Helper()
	files, err := renderFiles(t, namespace, values)
	if err != nil {
		return nil, "", err
	}
	objects, notes := map[string]object{}, ""
	for name, text := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			notes = text
			continue
		}
		for _, document := range releaseutil.SplitManifests(text) {
			var o object
			if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, document)
			}
			if len(o) == 0 {
				continue
			}
			if _, twice := objects[o.key()]; twice {
				t.Errorf("%s is there twice", o.key())
			}
			objects[o.key()] = o
		}
	}
	return objects, notes, nil
}

func renderFiles(t *testing.T, namespace, values string) (map[string]string, error) {
	t.Helper()
	var v map[string]any
	if err := yaml.UnmarshalStrict([]byte(values), &v); err != nil {
		t.Fatal(err)
	}
	c := load(t)
	all, err := commonutil.ToRenderValues(c, v, common.ReleaseOptions{Name: "countersign", Namespace: namespace, IsInstall: true, Revision: 1}, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

func mustRender(t *testing.T, values string) map[string]object {
	t.Helper()
	objects, _, err := render(t, namespace, values)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// kustomize gives what kubectl apply -k would send.
func kustomize(t *testing.T, directories ...string) map[string]object {
	t.Helper()
	objects := map[string]object{}
	for _, d := range directories {
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, d))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range built.Resources() {
			raw, err := r.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			var o object
			if err := json.Unmarshal(raw, &o); err != nil {
				t.Fatal(err)
			}
			objects[o.key()] = o
		}
	}
	return objects
}

// TestSame: the chart with its defaults is config/crd and config/default, but for
// the namespace, which Helm wants before, and what only Helm reads.
func TestSame(t *testing.T) {
	want := kustomize(t, "config/crd", "config/default")
	for key := range kustomize(t, "config/default") {
		if strings.HasPrefix(key, "CustomResourceDefinition ") {
			t.Errorf("deleting config/default would take %s away, and all Releases with it", key)
		}
	}
	own := object{"kind": "Namespace", "metadata": map[string]any{"name": namespace}}.key()
	if _, there := want[own]; !there {
		t.Error("config/default has no namespace any more")
	}
	delete(want, own)
	got := mustRender(t, "")
	for _, o := range got {
		withoutHelm(o)
	}
	if len(want) < 40 {
		t.Fatalf("kustomize gives %d objects", len(want))
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if !reflect.DeepEqual(normal(t, got[key]), normal(t, want[key])) {
			t.Errorf("%s is, by the chart,\n%s\nand by kustomize\n%s", key, text(t, got[key]), text(t, want[key]))
		}
		delete(got, key)
	}
	for key := range got {
		t.Errorf("%s is in the chart alone", key)
	}
}

func withoutHelm(o object) {
	m := o["metadata"].(map[string]any)
	annotations, _ := m["annotations"].(map[string]any)
	for name := range annotations {
		if strings.HasPrefix(name, "helm.sh/") {
			delete(annotations, name)
		}
	}
	if len(annotations) == 0 {
		delete(m, "annotations")
	}
}

// normal has all numbers of one type.
func normal(t *testing.T, o object) (out any) {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func text(t *testing.T, o object) string {
	t.Helper()
	raw, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw[:min(len(raw), 4000)])
}

// TestGenerated: what is in the tree is what config/ and the schema give.
func TestGenerated(t *testing.T) {
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what its source gives (%v); run: make generate", name, err)
		}
	}
	there, err := filepath.Glob(filepath.Join(root, directory, "templates", "config-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range there {
		if _, made := files[directory+"/templates/"+filepath.Base(file)]; !made {
			t.Errorf("%s has no source any more; run: make generate", filepath.Base(file))
		}
	}
}

func TestAnotherNamespace(t *testing.T) {
	files, err := renderFiles(t, "release-tools", "")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for name, text := range files {
		if strings.Contains(text, namespace) {
			t.Errorf("%s still names %s", name, namespace)
		}
		named += strings.Count(text, "'system:serviceaccount:release-tools:countersign-operator'")
	}
	if named < 10 {
		t.Errorf("%d policies name the operator, want at least 10", named)
	}
}

// at is what stands at a path such as spec.template.spec.containers.0.image.
func at(o any, path string) any {
	for step := range strings.SplitSeq(path, ".") {
		switch v := o.(type) {
		case object:
			o = v[step]
		case map[string]any:
			o = v[step]
		case []any:
			var n int
			if _, err := fmt.Sscan(step, &n); err != nil || n >= len(v) {
				return nil
			}
			o = v[n]
		default:
			return nil
		}
	}
	return o
}

const (
	operatorDeployment = "Deployment " + namespace + "/countersign-operator"
	webhookDeployment  = "Deployment " + namespace + "/countersign-webhook"
	container          = "spec.template.spec.containers.0."
	pod                = "spec.template.spec."
)

// TestValues sets every value that there is, and looks for what it does.
func TestValues(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	both := []string{operatorDeployment, webhookDeployment}
	tried := map[string]bool{"global": true}
	for _, row := range []struct {
		value, yaml string
		in          []string
		path        string
		want        string // JSON; empty wants the objects gone
	}{
		{"image.repository", "image: {repository: example.com/a/b}", both, container + "image", `"example.com/a/b:v1"`},
		{"image.tag", "image: {tag: v2}", both, container + "image", `"countersign.local/operator:v2"`},
		{"image.digest", "image: {digest: '" + digest + "'}", both, container + "image", `"countersign.local/operator@` + digest + `"`},
		{"image.pullPolicy", "image: {pullPolicy: Never}", both, container + "imagePullPolicy", `"Never"`},
		{"imagePullSecrets", "imagePullSecrets: [{name: pull}]", both, pod + "imagePullSecrets", `[{"name":"pull"}]`},
		{"operator.replicas", "operator: {replicas: 3}", both[:1], "spec.replicas", `3`},
		{"operator.resources", "operator: {resources: {limits: {memory: 1Gi}}}", both[:1], container + "resources.limits", `{"memory":"1Gi"}`},
		{"operator.nodeSelector", "operator: {nodeSelector: {a: b}}", both[:1], pod + "nodeSelector", `{"a":"b"}`},
		{"operator.tolerations", "operator: {tolerations: [{key: a, operator: Exists}]}", both[:1], pod + "tolerations", `[{"key":"a","operator":"Exists"}]`},
		{"operator.affinity", "operator: {affinity: {nodeAffinity: {a: [b]}}}", both[:1], pod + "affinity", `{"nodeAffinity":{"a":["b"]}}`},
		{"operator.keyAge", "operator: {keyAge: 24h}", both[:1], container + "args.6", `"--key-age=24h"`},
		{"operator.keyOverlap", "operator: {keyOverlap: 48h}", both[:1], container + "args.6", `"--key-overlap=48h"`},
		{"webhook.replicas", "webhook: {replicas: 3}", both[1:], "spec.replicas", `3`},
		{"webhook.resources", "webhook: {resources: {limits: {memory: 1Gi}}}", both[1:], container + "resources.limits", `{"memory":"1Gi"}`},
		{"webhook.nodeSelector", "webhook: {nodeSelector: {a: b}}", both[1:], pod + "nodeSelector", `{"a":"b"}`},
		{"webhook.tolerations", "webhook: {tolerations: [{key: a, operator: Exists}]}", both[1:], pod + "tolerations", `[{"key":"a","operator":"Exists"}]`},
		{"webhook.affinity", "webhook: {affinity: {nodeAffinity: {a: [b]}}}", both[1:], pod + "affinity", `{"nodeAffinity":{"a":["b"]}}`},
		{"logLevel", "logLevel: debug", both[:1], container + "args.6", `"--zap-log-level=debug"`},
		{"logLevel", "logLevel: debug", both[1:], container + "args.4", `"--zap-log-level=debug"`},
		{"priorityClassName", "priorityClassName: mine", both, pod + "priorityClassName", `"mine"`},
		{"podDisruptionBudget.create", "podDisruptionBudget: {create: false}", []string{
			"PodDisruptionBudget " + namespace + "/countersign-operator", "PodDisruptionBudget " + namespace + "/countersign-webhook"}, "", ""},
		{"networkPolicy.create", "networkPolicy: {create: false}", []string{
			"NetworkPolicy " + namespace + "/countersign-operator", "NetworkPolicy " + namespace + "/countersign-webhook"}, "", ""},
		{"networkPolicy.apiServers", "networkPolicy: {apiServers: [10.0.0.1/32, 'fd00::1/128']}", []string{"NetworkPolicy " + namespace + "/countersign-webhook"},
			"spec.ingress.0", `{"from":[{"ipBlock":{"cidr":"10.0.0.1/32"}},{"ipBlock":{"cidr":"fd00::1/128"}}],"ports":[{"port":"webhook","protocol":"TCP"}]}`},
		{"firstPolicy.create", "firstPolicy: {create: false}", []string{"ApprovalPolicy <nil>/default"}, "", ""},
		{"serviceMonitor.create", "serviceMonitor: {create: true}", []string{"ServiceMonitor " + namespace + "/countersign"}, "spec.endpoints.0.tlsConfig.serverName", `"countersign-webhook.countersign-system.svc"`},
		{"serviceMonitor.labels", "serviceMonitor: {create: true, labels: {a: b}}", []string{"ServiceMonitor " + namespace + "/countersign"}, "metadata.labels", `{"a":"b"}`},
		{"serviceMonitor.interval", "serviceMonitor: {create: true, interval: 30s}", []string{"ServiceMonitor " + namespace + "/countersign"}, "spec.endpoints.0.interval", `"30s"`},
		{"traces.endpoint", "traces: {endpoint: 'http://collector:4318/v1/traces'}", both[:1], container + "args.6", `"--traces-endpoint=http://collector:4318/v1/traces"`},
		{"notifications.url", "notifications: {url: 'https://hooks.example.com/x'}", both[:1], container + "args.6", `"--notify-url=https://hooks.example.com/x"`},
		{"notifications.url", "notifications: {url: 'https://hooks.example.com/x'}", both[:1], container + "args.7", `"--notify-key-file=/etc/countersign/notifications/key"`},
		{"notifications.url", "notifications: {url: 'https://hooks.example.com/x'}", both[:1], container + "volumeMounts.0.mountPath", `"/etc/countersign/notifications"`},
		{"notifications.secret", "notifications: {url: 'https://hooks.example.com/x', secret: s}", both[:1], pod + "volumes.0.secret.secretName", `"s"`},
		{"notifications.ca", "notifications: {url: 'https://hooks.example.com/x', ca: true}", both[:1], container + "args.8", `"--notify-ca-file=/etc/countersign/notifications/ca.crt"`},
		{"notifications.reasons", "notifications: {url: 'https://hooks.example.com/x', reasons: [RolledBack, ReleaseHalted]}", both[:1], container + "args.8", `"--notify-reasons=RolledBack,ReleaseHalted"`},
		{"notifications.retryFor", "notifications: {url: 'https://hooks.example.com/x', retryFor: 1h}", both[:1], container + "args.8", `"--notify-retry-for=1h"`},
		{"prometheusRule.create", "prometheusRule: {create: true}", []string{"PrometheusRule " + namespace + "/countersign"}, "spec.groups.0.name", `"countersign-releases"`},
		{"prometheusRule.labels", "prometheusRule: {create: true, labels: {a: b}}", []string{"PrometheusRule " + namespace + "/countersign"}, "metadata.labels", `{"a":"b"}`},
		{"dashboard.create", "dashboard: {create: true}", []string{"ConfigMap " + namespace + "/countersign-dashboard"}, "metadata.labels", `{"grafana_dashboard":"1"}`},
		{"dashboard.labels", "dashboard: {create: true, labels: {a: b}}", []string{"ConfigMap " + namespace + "/countersign-dashboard"}, "metadata.labels.a", `"b"`},
	} {
		tried[row.value] = true
		t.Run(row.yaml, func(t *testing.T) {
			byDefault, got := mustRender(t, ""), mustRender(t, row.yaml)
			for _, key := range row.in {
				if row.want == "" {
					if byDefault[key] == nil || got[key] != nil {
						t.Errorf("%s: by default %v, with it %v", key, byDefault[key] != nil, got[key] != nil)
					}
					continue
				}
				value, err := json.Marshal(at(got[key], row.path))
				if err != nil || string(value) != row.want {
					t.Errorf("%s has %s at %s, want %s", key, value, row.path, row.want)
				}
				if former, _ := json.Marshal(at(byDefault[key], row.path)); string(former) == row.want {
					t.Errorf("%s has that by default", key)
				}
			}
		})
	}
	schema, err := readSchema(filepath.Join(root, directory, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names(schema, "") {
		if !tried[name] {
			t.Errorf("value %s is not tried", name)
		}
	}
}

func names(p property, path string) (all []string) {
	for _, child := range p.Properties {
		name := strings.TrimPrefix(path+"."+child.name, ".")
		if child.isGroup() {
			all = append(all, names(child, name)...)
		} else {
			all = append(all, name)
		}
	}
	return all
}

// TestWrongValues: the message names the value and what is wrong with it.
func TestWrongValues(t *testing.T) {
	for values, want := range map[string]string{
		"replicas: 3":                                  "'replicas' not allowed",
		"operator: {replica: 3}":                       "'replica' not allowed",
		"operator: {replicas: 0}":                      "/operator/replicas",
		"operator: {replicas: many}":                   "/operator/replicas",
		"operator: {resources: {limit: {}}}":           "'limit' not allowed",
		"operator: {keyAge: 90d}":                      "/operator/keyAge",
		"operator: {keyOverlap: week}":                 "/operator/keyOverlap",
		"webhook: {replicas: 11}":                      "/webhook/replicas",
		"webhook: {nodeSelector: {a: 1}}":              "/webhook/nodeSelector/a",
		"image: {digest: abc}":                         "/image/digest",
		"image: {repository: ''}":                      "/image/repository",
		"image: {tag: 'a b'}":                          "/image/tag",
		"image: {pullPolicy: Sometimes}":               "/image/pullPolicy",
		"imagePullSecrets: [pull]":                     "/imagePullSecrets/0",
		"logLevel: loud":                               "/logLevel",
		"podDisruptionBudget: {create: 'yes'}":         "/podDisruptionBudget/create",
		"networkPolicy: {apiServers: [kubernetes]}":    "/networkPolicy/apiServers/0",
		"firstPolicy: {enabled: true}":                 "'enabled' not allowed",
		"serviceMonitor: {create: true, interval: 30}": "/serviceMonitor/interval",
	} {
		t.Run(values, func(t *testing.T) {
			_, _, err := render(t, namespace, values)
			if err == nil {
				t.Fatal("it is taken")
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %s: %v", want, err)
			}
		})
	}
}

func TestNotes(t *testing.T) {
	for values, want := range map[string]string{
		"": "kubectl create rolebinding approvers -n default --clusterrole=release-approver", "firstPolicy: {create: false}": "kubectl get approvalpolicies",
	} {
		_, notes, err := render(t, "release-tools", values)
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{want, "kubectl rollout status deployment/countersign-operator deployment/countersign-webhook -n release-tools"} {
			if !strings.Contains(notes, "\n  "+command) {
				t.Errorf("the notes lack %s:\n%s", command, notes)
			}
		}
		if n := strings.Count(notes, "\n  kubectl "); n != 2 {
			t.Errorf("the notes have %d commands, want two:\n%s", n, notes)
		}
	}
}

func TestLint(t *testing.T) {
	linter := lint.RunAll(filepath.Join(root, directory), nil, namespace)
	for _, m := range linter.Messages {
		if m.Severity > support.InfoSev {
			t.Error(m)
		}
	}
	if len(linter.Messages) == 0 && linter.ChartDir == "" {
		t.Error("nothing was looked at")
	}
}

// TestOrder holds Helm to what makes an uninstall safe: the webhook goes first,
// so that nothing is refused because it is gone, the guards go after what they
// guard against, and the Releases stay with their definitions.
func TestOrder(t *testing.T) {
	files, err := renderFiles(t, namespace, "")
	if err != nil {
		t.Fatal(err)
	}
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.UninstallOrder)
	if err != nil {
		t.Fatal(err)
	}
	if len(hooks) != 1 || hooks[0].Kind != "ApprovalPolicy" || !slices.Equal(hooks[0].Events, []release.HookEvent{release.HookPostInstall}) {
		t.Errorf("hooks are %+v, want the first policy, after the install alone", hooks)
	} else if slices.Contains(hooks[0].DeletePolicies, release.HookBeforeHookCreation) {
		t.Error("an install would take away the policy of one before")
	}
	last := map[string]int{}
	first := map[string]int{}
	for n, m := range manifests {
		kind := m.Head.Kind
		last[kind] = n
		if _, seen := first[kind]; !seen {
			first[kind] = n
		}
		switch kept := m.Head.Metadata != nil && m.Head.Metadata.Annotations["helm.sh/resource-policy"] == "keep"; {
		case kind == "CustomResourceDefinition" && !kept:
			t.Errorf("%s is taken away, and all Releases with it", m.Head.Metadata.Name)
		case kind != "CustomResourceDefinition" && kept:
			t.Errorf("%s %s is kept", kind, m.Head.Metadata.Name)
		}
	}
	if last["MutatingWebhookConfiguration"] > first["Deployment"] {
		t.Error("the webhook is gone before it is not called any more")
	}
	if first["ValidatingAdmissionPolicyBinding"] < last["Deployment"] || first["ValidatingAdmissionPolicy"] < last["Deployment"] {
		t.Error("the guards go before the operator")
	}
}

// TestRecordFits: Helm keeps the chart and what it rendered in one Secret, which
// holds at most 1 MiB.
func TestRecordFits(t *testing.T) {
	files, err := renderFiles(t, namespace, "")
	if err != nil {
		t.Fatal(err)
	}
	record, err := json.Marshal(map[string]any{"chart": load(t), "manifest": files})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(record); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if size := base64.StdEncoding.EncodedLen(b.Len()); size > 800<<10 {
		t.Errorf("a release of Helm has about %d bytes, of 1048576 that a Secret holds", size)
	}
}

// TestPackage: the same chart gives the same bytes, whenever its files were written.
func TestPackage(t *testing.T) {
	packed := func(written time.Time) []byte {
		copied, dist := filepath.Join(t.TempDir(), "countersign"), t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(filepath.Join(root, directory))); err != nil {
			t.Fatal(err)
		}
		err := filepath.WalkDir(copied, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chtimes(path, written, written)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := pack(copied, dist); err != nil {
			t.Fatal(err)
		}
		packages, err := filepath.Glob(filepath.Join(dist, "countersign-*.tgz"))
		if err != nil || len(packages) != 1 {
			t.Fatalf("it wrote %v: %v", packages, err)
		}
		raw, err := os.ReadFile(packages[0])
		if err != nil {
			t.Fatal(err)
		}
		if c, err := loader.Load(packages[0]); err != nil || len(c.Templates) != len(load(t).Templates) {
			t.Errorf("what it wrote is no such chart: %v", err)
		}
		return raw
	}
	if !bytes.Equal(packed(time.Unix(1e9, 0)), packed(time.Unix(1.5e9, 0))) {
		t.Error("the time at which the files were written is in the package")
	}
}

// TestEdits: a manifest that changes past the edits is an error, not a chart that
// ignores a value.
func TestEdits(t *testing.T) {
	source := "manager/webhook.yaml"
	raw, err := os.ReadFile(filepath.Join(root, "config", source))
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ from, to, want string }{
		"other replicas": {"  replicas: 2\n", "  replicas: 3\n", "0 times, want 1"},
		"two containers": {"        - --webhook-port=9443\n", "        - --webhook-port=9443\n        - --webhook-port=9443\n", "2 times, want 1"},
		"a template":     {"replicas: 2", "replicas: {{ 2 }}", "{{ in it"},
	} {
		changed := strings.Replace(string(raw), row.from, row.to, 1)
		if _, err := template(source, []byte(changed)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
