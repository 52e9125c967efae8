// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"
)

// record is where scenes of the plugin's golden files are written to, in a namespace
// with a name that people read: go test -run TestPlugin -args -record=DIRECTORY.
var record = flag.String("record", "", "directory to record scenes for the plugin's golden files in")

// pluginCommand is the plugin, built, and the kubeconfigs of those who run it.
type pluginCommand struct {
	*shop
	binary, directory string
}

func buildPlugin(t *testing.T, s *shop) *pluginCommand {
	t.Helper()
	p := &pluginCommand{shop: s, directory: t.TempDir()}
	p.binary = filepath.Join(p.directory, "kubectl-countersign")
	build := exec.CommandContext(within(t), "go", "build", "-o", p.binary, "./cmd/kubectl-countersign")
	build.Dir = filepath.Dir(configDirectory)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the plugin: %v\n%s", err, out)
	}
	return p
}

// kubeconfig writes one for somebody.
func (p *pluginCommand) kubeconfig(t *testing.T, who string, change func(*rest.Config)) string {
	t.Helper()
	config := rest.CopyConfig(p.people[who].config)
	if change != nil {
		change(config)
	}
	out := api.NewConfig()
	out.Clusters["local"] = &api.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData, CertificateAuthority: config.CAFile}
	out.AuthInfos[who] = &api.AuthInfo{
		Token: config.BearerToken, TokenFile: config.BearerTokenFile,
		ClientCertificateData: config.CertData, ClientKeyData: config.KeyData, ClientCertificate: config.CertFile, ClientKey: config.KeyFile,
	}
	out.Contexts[who] = &api.Context{Cluster: "local", AuthInfo: who, Namespace: p.namespace}
	out.CurrentContext = who
	file := filepath.Join(p.directory, who+".kubeconfig")
	if err := clientcmd.WriteToFile(*out, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// run is what somebody sees who runs the plugin, and whether it ended well.
func (p *pluginCommand) run(t *testing.T, who string, args ...string) (string, bool) {
	t.Helper()
	return p.runWith(t, p.kubeconfig(t, who, nil), args...)
}

func (p *pluginCommand) runWith(t *testing.T, kubeconfig string, args ...string) (string, bool) {
	t.Helper()
	command := exec.CommandContext(within(t), p.binary, append([]string{"--kubeconfig", kubeconfig}, args...)...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	t.Logf("kubectl countersign %s\n%s", strings.Join(args, " "), out.String())
	return out.String(), err == nil
}

// says wants the plugin to end well, or not, and to say all of it.
func (p *pluginCommand) says(t *testing.T, who string, well bool, args []string, parts ...string) string {
	t.Helper()
	out, ok := p.run(t, who, args...)
	if ok != well {
		t.Errorf("%s runs %v: ended well %t, want %t", who, args, ok, well)
	}
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("%s runs %v and reads\n%s\nwant %q", who, args, out, part)
		}
	}
	return out
}

func words(s string) []string { return strings.Fields(s) }

// TestPlugin goes through the life of a Release with nothing but the plugin.
func TestPlugin(t *testing.T) {
	w := whole.start(t)
	namespace := "shop"
	if *record == "" {
		namespace = w.namespace(t)
	} else {
		w.install(t, []*unstructured.Unstructured{object(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}")})
	}
	s := openShopIn(t, w, namespace)
	for _, who := range []string{"dev", "dana", "alice", "bob"} {
		w.allow(t, namespace, "view", email(who))
	}
	w.install(t, []*unstructured.Unstructured{policyReaders(t)})
	p := buildPlugin(t, s)
	t.Run("somebody without rights", p.strangers)
	first := p.firstContent(t)
	second := p.waiting(t)
	p.vetoed(t, second)
	p.frozen(t, second)
	p.rolledBack(t, first, second)
}

// policyReaders may read the policies of the whole cluster.
func policyReaders(t *testing.T) *unstructured.Unstructured {
	return object(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: test-policy-readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: release-viewer}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: qa}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: security}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: developers}
`)
}

// strangers are told which right they lack, or to log in again.
func (p *pluginCommand) strangers(t *testing.T) {
	stranger := p.kubeconfig(t, "admin", func(c *rest.Config) {
		c.CertData, c.KeyData, c.CertFile, c.KeyFile, c.BearerToken = nil, nil, "", "", "expired"
	})
	out, ok := p.runWith(t, stranger, "status", shopName)
	if ok || !strings.Contains(out, "log in again") {
		t.Errorf("with an expired login it says\n%s", out)
	}
	p.people["nobody"] = p.asAccount(t, p.namespace, "default")
	p.says(t, "nobody", false, words("status shop"), "you may not get releases in namespace "+p.namespace, "release-viewer")
	p.says(t, "alice", false, words("status shop"), "there is no Release shop")
}

func (p *pluginCommand) firstContent(t *testing.T) string {
	p.mustApply(t, "dev", p.manifest(t, "v1", set("spec.observeSeconds", int64(1))))
	digest := p.awaitTested(t)
	p.says(t, "alice", true, words("status shop"), "AwaitingApproval", "kubectl countersign approve shop")
	p.says(t, "dev", false, words("approve shop --digest "+digest), "changed the content and cannot approve it")
	p.says(t, "alice", false, words("approve shop"), "kubectl countersign approve shop -n "+p.namespace+" --digest "+digest)
	p.says(t, "alice", true, words("approve shop --digest "+digest+" -m tested"), email("alice")+" approves "+digest)
	p.says(t, "bob", true, words("approve shop --digest "+digest), email("bob")+" approves "+digest)
	p.awaitActive(t, digest)
	p.awaitStable(t)
	p.says(t, "bob", true, words("status shop"), "Stable", "[blue]")
	p.says(t, "bob", true, words("history shop"), "Promote", email("alice"))
	return digest
}

// waiting is the second content, with one vote of two.
func (p *pluginCommand) waiting(t *testing.T) string {
	p.mustApply(t, "dev", p.manifest(t, "v2", set("spec.observeSeconds", int64(300)), set("spec.minReadySeconds", int64(1))))
	digest := p.awaitTested(t)
	p.says(t, "alice", true, words("diff shop"), "demoapp:v1 -> countersign.local/demoapp:v2", "observeSeconds: 1 -> 300", "matches")
	p.says(t, "alice", true, append(words("approve shop --digest "+digest), "-m", "CHG-481, tested on stage"), "approves")
	p.await(t, "alice's vote is explained", func(r *v1alpha1.Release) bool { return r.Status.Approvals == "1/2" })
	p.says(t, "bob", true, words("explain shop"), "security", "1 more", "members of security", "CHG-481", email("bob")+" may approve it")
	p.says(t, "dev", true, words("explain shop"), email("dev")+" may reject it, and not approve it")
	p.scene(t, "waiting")
	p.says(t, "alice", false, words("approve shop --digest "+digestTwo), "is not the candidate")
	p.says(t, "alice", true, append(words("comment shop"), "-m", "still fine"), "stands beside the vote")
	p.says(t, "alice", true, words("withdraw shop"), "is withdrawn")
	p.says(t, "alice", false, words("withdraw shop"), "has no vote")
	p.await(t, "alice's vote is gone", func(r *v1alpha1.Release) bool { return r.Status.Approvals == "0/2" })
	p.says(t, "alice", true, append(words("approve shop --digest "+digest), "-m", "CHG-481, tested on stage"), "approves")
	p.plans(t)
	return digest
}

// plans: nothing is changed by it.
func (p *pluginCommand) plans(t *testing.T) {
	before := p.release(t).Generation
	file := filepath.Join(p.directory, "shop.yaml")
	for _, row := range []struct {
		changes []func(*unstructured.Unstructured)
		says    string
	}{
		{[]func(*unstructured.Unstructured){set("spec.minReadySeconds", int64(2))}, "content would change"},
		{[]func(*unstructured.Unstructured){set("spec.replicas", int64(4)), set("spec.observeSeconds", int64(300)), set("spec.minReadySeconds", int64(1))}, "takes effect at once"},
	} {
		raw, err := yaml.Marshal(p.manifest(t, "v2", row.changes...).Object)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		p.says(t, "dana", true, []string{"plan", "-f", file}, row.says)
	}
	if after := p.release(t).Generation; after != before {
		t.Errorf("a plan changed the spec: generation %d, was %d", after, before)
	}
}

func (p *pluginCommand) vetoed(t *testing.T, digest string) {
	p.says(t, "bob", true, append(words("reject shop --digest "+digest), "-m", "the image has a known hole"), email("bob")+" rejects")
	p.await(t, "it is vetoed", func(r *v1alpha1.Release) bool { return r.Status.Phase == v1alpha1.PhaseHalted })
	p.says(t, "dev", true, words("status shop"), "Halted", "rejected by "+email("bob"))
	p.scene(t, "vetoed")
	p.says(t, "bob", true, words("withdraw shop"), "is withdrawn")
	p.await(t, "the veto is gone", func(r *v1alpha1.Release) bool { return r.Status.Phase == v1alpha1.PhaseAwaitingApproval })
}

// frozen: a guard is gone when all have approved.
func (p *pluginCommand) frozen(t *testing.T, digest string) {
	p.says(t, "dev", true, words("pause shop"), "spec.paused is true")
	p.awaitCandidate(t)
	p.says(t, "bob", true, append(words("approve shop --digest "+digest), "-m", "the base image is mended, nothing in ours"), "approves")
	p.awaitApproved(t, v1alpha1.ReasonQuorumMet)
	p.says(t, "admin", true, words("doctor shop"), "intact")
	t.Run("gate", func(t *testing.T) {
		p.withoutObject(t, "validatingadmissionpolicybindings", "release-votes.countersign.dev")
		p.says(t, "dev", true, words("resume shop"), "spec.paused is false")
		p.awaitApproved(t, v1alpha1.ReasonGateFrozen, "release-votes")
		p.says(t, "admin", false, words("doctor shop"), "ValidatingAdmissionPolicyBinding release-votes.countersign.dev is missing", "the gate is not intact")
		p.says(t, "alice", false, words("doctor shop"), "unknown", "you may not read")
		p.scene(t, "frozen")
	})
	p.awaitActive(t, digest)
}

func (p *pluginCommand) rolledBack(t *testing.T, first, second string) {
	p.says(t, "dev", true, words("status shop"), "Observing", "kubectl countersign rollback shop")
	p.says(t, "dev", true, words("rollback shop"), "from "+second+" to "+first)
	p.await(t, "it is gone back from", func(r *v1alpha1.Release) bool {
		return r.Status.Active.Digest == first && r.Status.Switch.SettledAt != nil && r.Status.Phase == v1alpha1.PhaseHalted
	})
	p.says(t, "dev", true, words("status shop"), "Halted", "RolledBack")
	p.says(t, "dev", true, words("history shop"), "Rollback", email("dev")+" asked")
	p.says(t, "dev", false, words("rollback shop"), "keeps nothing to go back to")
	p.scene(t, "rolled-back")
}

// scene records what the plugin reads.
func (p *pluginCommand) scene(t *testing.T, name string) {
	t.Helper()
	if *record == "" {
		return
	}
	var text bytes.Buffer
	for _, from := range []struct{ resource, namespace, name string }{
		{"namespaces", "", "kube-system"}, {"approvalpolicies", "", p.namespace}, {"releases", p.namespace, shopName},
		{"deployments", p.namespace, shopName + "-blue"}, {"deployments", p.namespace, shopName + "-green"},
		{"services", p.namespace, shopName}, {"services", p.namespace, shopName + "-preview"},
	} {
		o, err := p.admin.resource(from.resource, from.namespace).Get(within(t), from.name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		o.SetManagedFields(nil)
		raw, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n" + string(raw))
	}
	if err := os.WriteFile(filepath.Join(*record, name+".yaml"), text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
