// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/countersign/countersign/hack/cluster/build"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/process"
)

// Options say what a control plane consists of. The zero value is etcd and an
// API server, which is enough to test admission, RBAC and custom resources.
type Options struct {
	// Dir takes certificates, data and logs. Empty: a temporary directory that
	// Stop removes.
	Dir string
	// ControllerManager also starts the controllers: Deployments get Pods,
	// Services get EndpointSlices, namespaces get a default ServiceAccount.
	ControllerManager bool
	// FakeNodes is how many nodes to pretend to. One or more also starts the
	// scheduler and the controllers. Their pods become Ready by themselves,
	// except those annotated local.countersign.dev/unready.
	FakeNodes int
	// APIServerArgs are added to the API server's command line, and win.
	APIServerArgs []string
	// Progress takes a line for each step, and for each program that has to be
	// built first. Nil: nobody is told.
	Progress io.Writer

	// set by the forms of a whole cluster
	endpoint  endpoint
	scheduler bool
	binaries  build.Set
}

// ControlPlane is a running API server with everything that it needs.
type ControlPlane struct {
	opts      Options
	bin       build.Binaries
	dir       string
	temporary bool
	ca        *identity.Authority
	issuer    *identity.Issuer
	group     *process.Group
	admin     *rest.Config
}

// attempts is how often a start is tried: between choosing a port and using it
// another program may take it.
const attempts = 3

// StartControlPlane starts an API server on loopback ports of its own and
// returns when it serves and knows everybody in identity.People. It needs no
// root. ctx bounds the start only; Stop ends what was started, and the kernel
// does when this process dies (on Linux).
func StartControlPlane(ctx context.Context, opts Options) (*ControlPlane, error) {
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	if opts.FakeNodes > 0 {
		opts.ControllerManager, opts.scheduler, opts.binaries = true, true, build.Fake
	}
	bin, err := build.Ensure(ctx, opts.binaries, opts.Progress)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		c, err := startOnce(ctx, opts, bin)
		if err == nil {
			return c, nil
		}
		if attempt == attempts || !strings.Contains(err.Error(), "address already in use") {
			return nil, err
		}
		fmt.Fprintf(opts.Progress, "trying again: %v\n", err)
	}
}

func startOnce(ctx context.Context, opts Options, bin build.Binaries) (_ *ControlPlane, err error) {
	c := &ControlPlane{opts: opts, bin: bin, dir: opts.Dir, group: process.NewGroup()}
	if c.dir == "" {
		c.temporary = true
		if c.dir, err = os.MkdirTemp("", "countersign-"); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			_ = c.Stop()
		}
	}()
	if !opts.endpoint.fixed {
		if c.opts.endpoint, err = loopback(); err != nil {
			return nil, err
		}
	}
	for _, step := range []func(context.Context) error{
		c.prepareIdentities, c.startEtcd, c.startAPIServer, c.waitServing, c.grantRights, c.startControllers, c.startFakeNodes,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *ControlPlane) prepareIdentities(context.Context) (err error) {
	if c.ca, err = identity.NewAuthority(filepath.Join(c.dir, "pki")); err != nil {
		return err
	}
	if c.issuer, err = identity.NewIssuer(c.ca); err != nil {
		return err
	}
	e := c.opts.endpoint
	serving, err := c.ca.Server("kube-apiserver", "127.0.0.1", e.address, e.serviceIP(),
		"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
	if err != nil {
		return err
	}
	if err := c.ca.Write("apiserver", serving); err != nil {
		return err
	}
	toKubelet, err := c.ca.Client("kube-apiserver", "system:masters")
	if err != nil {
		return err
	}
	if err := c.ca.Write("apiserver-kubelet", toKubelet); err != nil {
		return err
	}
	return c.writePeople()
}

// writePeople makes the one kubeconfig that has a context for each person.
func (c *ControlPlane) writePeople() error {
	pair, err := c.ca.Client("admin@example.com", "system:masters")
	if err != nil {
		return err
	}
	cfg := identity.NewKubeconfig(c.opts.endpoint.url(), c.ca.PEM())
	identity.AddPair(cfg, identity.Admin, pair)
	if err := c.addTokens(cfg); err != nil {
		return err
	}
	if err := identity.WriteKubeconfig(cfg, c.Kubeconfig()); err != nil {
		return err
	}
	c.admin, err = c.Config(identity.Admin)
	return err
}

func (c *ControlPlane) addTokens(cfg *api.Config) error {
	for _, p := range identity.People() {
		token, err := c.issuer.Token(p, time.Now())
		if err != nil {
			return fmt.Errorf("token of %s: %w", p.Name, err)
		}
		identity.AddToken(cfg, p.Name, token)
	}
	return nil
}

// renewTokens gives everybody new tokens and leaves the other contexts alone.
func (c *ControlPlane) renewTokens() error {
	cfg, err := clientcmd.LoadFromFile(c.Kubeconfig())
	if err != nil {
		return err
	}
	if err := c.addTokens(cfg); err != nil {
		return err
	}
	return identity.WriteKubeconfig(cfg, c.Kubeconfig())
}

// Kubeconfig is the file with a context for each person and for "admin".
func (c *ControlPlane) Kubeconfig() string { return filepath.Join(c.dir, "kubeconfig") }

// AuditLog is the file with a line of JSON for each request (level Metadata).
func (c *ControlPlane) AuditLog() string { return filepath.Join(c.dir, "audit.log") }

// Dir is where certificates, data and logs are.
func (c *ControlPlane) Dir() string { return c.dir }

// CA is the certificate that the API server is trusted by, PEM.
func (c *ControlPlane) CA() []byte { return c.ca.PEM() }

// Config is how a person, or "admin", reaches the API server. The client's own
// rate limit is off.
func (c *ControlPlane) Config(user string) (*rest.Config, error) {
	return configFor(c.Kubeconfig(), user)
}

// ServiceAccountConfig is how a ServiceAccount reaches the API server, with a
// new token.
func (c *ControlPlane) ServiceAccountConfig(ctx context.Context, namespace, name string) (*rest.Config, error) {
	token, err := ServiceAccountToken(ctx, c.admin, namespace, name)
	if err != nil {
		return nil, err
	}
	cfg := rest.AnonymousClientConfig(c.admin)
	cfg.BearerToken, cfg.QPS = token, -1
	return cfg, nil
}

// Failed yields the first program that ended by itself.
func (c *ControlPlane) Failed() <-chan error { return c.group.Failed() }

// Stop ends every program and removes a temporary directory.
func (c *ControlPlane) Stop() error {
	c.group.Stop(0) // nothing here is worth a graceful end: the data goes too
	var errs []error
	if c.issuer != nil {
		errs = append(errs, c.issuer.Close())
	}
	if c.temporary {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}

func (c *ControlPlane) client() (*kubernetes.Clientset, error) {
	return kubernetes.NewForConfig(c.admin)
}

func (c *ControlPlane) say(format string, args ...any) {
	fmt.Fprintf(c.opts.Progress, format+"\n", args...)
}
