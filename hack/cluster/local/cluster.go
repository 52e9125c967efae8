// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/countersign/countersign/hack/cluster/build"
)

// inside names the cluster in whose namespaces a program runs already.
const inside = "COUNTERSIGN_INSIDE"

// Cluster is a running cluster in one of the forms.
type Cluster struct {
	state *state
	bin   build.Binaries
	kube  string
}

// Open finds the running cluster of that name.
func Open(ctx context.Context, name string) (*Cluster, error) {
	s, err := load(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && os.Getenv(inside) != name && !s.alive() {
		return nil, fmt.Errorf("cluster %q does not run: start it by `go run ./hack/cluster --name %s up`", name, name)
	}
	if err != nil {
		return nil, err
	}
	bin, err := build.Ensure(ctx, set(s.Form), io.Discard)
	if err != nil {
		return nil, err
	}
	return &Cluster{state: s, bin: bin, kube: s.file("kubeconfig")}, nil
}

// OpenExisting is the cluster that $KUBECONFIG leads to.
func OpenExisting(ctx context.Context, progress io.Writer) (*Cluster, error) {
	kubeconfig := os.Getenv("KUBECONFIG")
	if kubeconfig == "" {
		return nil, errors.New("form existing wants KUBECONFIG to name the cluster's kubeconfig")
	}
	bin, err := build.Ensure(ctx, build.ControlPlane, progress) // for its kubectl
	if err != nil {
		return nil, err
	}
	return &Cluster{state: &state{Name: "existing", Form: Existing}, bin: bin, kube: kubeconfig}, nil
}

func set(f Form) build.Set {
	if f == Real {
		return build.Real
	}
	return build.Fake
}

// Name is the cluster's name.
func (c *Cluster) Name() string { return c.state.Name }

// Form is the cluster's form.
func (c *Cluster) Form() Form { return c.state.Form }

// Kubeconfig is the file with a context for each person and for "admin".
func (c *Cluster) Kubeconfig() string { return c.kube }

// AuditLog is the API server's audit log. An existing cluster has none for us.
func (c *Cluster) AuditLog() string { return c.state.file("audit.log") }

// Kubectl is the program file of kubectl.
func (c *Cluster) Kubectl() string { return c.bin.Path("kubectl") }

// Config is how a person reaches the API server from this process, wherever it
// runs: connections are opened in the cluster's network.
func (c *Cluster) Config(user string) (*rest.Config, error) {
	cfg, err := configFor(c.kube, user)
	if err != nil {
		return nil, err
	}
	if c.separate() {
		cfg.Dial = c.DialContext
	}
	return cfg, nil
}

// separate says whether this process is outside of the cluster's namespaces.
func (c *Cluster) separate() bool {
	return c.state.Form == Real && os.Getenv(inside) != c.state.Name
}

// environment is that of a program run against the cluster.
func (c *Cluster) environment() []string {
	env := append(os.Environ(), "KUBECONFIG="+c.kube)
	if c.state.Form == Real {
		env = append(env, inside+"="+c.state.Name)
	}
	// Last in the path, because one of them hides a tool of the host's.
	return append(env, "PATH="+os.Getenv("PATH")+string(filepath.ListSeparator)+c.bin.Dir)
}

// Status is what can be told about a cluster.
type Status struct {
	Name  string
	Form  Form
	Pid   int
	State string // "ready", "starting", "unreachable", or what is left of it
	Nodes int
	Pods  int
}

// List tells about all clusters of this person.
func List(ctx context.Context) ([]Status, error) {
	states, err := all()
	if err != nil {
		return nil, err
	}
	var out []Status
	for _, s := range states {
		out = append(out, describe(ctx, s))
	}
	return out, nil
}

func describe(ctx context.Context, s *state) Status {
	st := Status{Name: s.Name, Form: s.Form, Pid: s.Pid}
	switch {
	case !s.alive():
		st.State = "dead: `down` removes what it left"
		return st
	case !s.Ready:
		st.State = "starting"
		return st
	}
	c := &Cluster{state: s, kube: s.file("kubeconfig")}
	var err error
	if st.Nodes, st.Pods, err = c.count(ctx); err != nil {
		st.State = "unreachable: " + err.Error()
		return st
	}
	st.State = "ready"
	return st
}

func (c *Cluster) count(ctx context.Context) (nodes, pods int, err error) {
	cfg, err := c.Config(c.adminContext())
	if err != nil {
		return 0, 0, err
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return 0, 0, err
	}
	n, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, 0, err
	}
	p, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, 0, err
	}
	return len(n.Items), len(p.Items), nil
}
