// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/countersign/countersign/controllers/admission"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/image"
	"github.com/countersign/countersign/hack/cluster/local"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"
)

// Program is the operator as a process of this machine, inside of a cluster's
// network.
type Program struct {
	cluster     *local.Cluster
	dir         string
	binary      string
	kubeconfig  string
	webhookPort int
	healthPort  int
	logs        *os.File
}

// Process is one running instance.
type Process struct {
	cmd  *exec.Cmd
	done <-chan error
}

// Prepare installs everything but the operator itself, and builds it. dir takes
// the program, its kubeconfig and its log.
func Prepare(ctx context.Context, c *local.Cluster, dir string) (*Program, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	p := &Program{
		cluster: c, dir: dir, binary: filepath.Join(dir, "operator"),
		kubeconfig: filepath.Join(dir, "kubeconfig"), webhookPort: 19443, healthPort: 18081,
	}
	if err := image.Compile(ctx, root, ".", p.binary); err != nil {
		return nil, err
	}
	for _, part := range []string{"config/crd", "config/rbac", "config/policy"} {
		if err := apply(ctx, c, root, part); err != nil {
			return nil, err
		}
	}
	if err := p.applyWebhook(ctx, root); err != nil {
		return nil, err
	}
	if err := p.writeKubeconfig(ctx); err != nil {
		return nil, err
	}
	p.logs, err = os.Create(p.Log())
	return p, err
}

// Log is the file that the operator's instances write to, one after the other.
func (p *Program) Log() string { return filepath.Join(p.dir, "operator.log") }

// applyWebhook makes the API server call a process beside it.
func (p *Program) applyWebhook(ctx context.Context, root string) error {
	raw, err := os.ReadFile(filepath.Join(root, "config", "webhook", "configuration.yaml"))
	if err != nil {
		return err
	}
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	if err := yaml.UnmarshalStrict(raw, &configuration); err != nil {
		return fmt.Errorf("read config/webhook/configuration.yaml: %w", err)
	}
	admission.UseURL(&configuration, p.webhookURL())
	raw, err = yaml.Marshal(&configuration)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, p.cluster.Kubectl(), "apply", "--server-side", "--force-conflicts", "-f", "-")
	cmd.Stdin = bytes.NewReader(raw)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := p.cluster.Run(cmd); err != nil {
		return fmt.Errorf("apply the webhook configuration: %w\n%s", err, out.Bytes())
	}
	return nil
}

func (p *Program) webhookURL() string { return "https://127.0.0.1:" + strconv.Itoa(p.webhookPort) }

// writeKubeconfig gives the operator a token of its ServiceAccount and nothing
// else.
func (p *Program) writeKubeconfig(ctx context.Context) error {
	config, err := p.cluster.Config(identity.Admin)
	if err != nil {
		return err
	}
	token, err := p.cluster.ServiceAccountToken(ctx, Namespace, Account)
	if err != nil {
		return err
	}
	k := identity.NewKubeconfig(config.Host, config.CAData)
	identity.AddToken(k, "operator", token)
	return identity.WriteKubeconfig(k, p.kubeconfig)
}

// Start starts an instance and returns when it is ready.
func (p *Program) Start(ctx context.Context) (*Process, error) {
	cmd := exec.Command(p.binary,
		"--kubeconfig="+p.kubeconfig, "--namespace="+Namespace, "--leader-elect=false",
		"--health-probe-bind-address=127.0.0.1:"+strconv.Itoa(p.healthPort),
		"--webhook-bind-host=127.0.0.1", "--webhook-port="+strconv.Itoa(p.webhookPort), "--webhook-url="+p.webhookURL(),
	)
	cmd.Stdout, cmd.Stderr = p.logs, p.logs
	done, err := p.cluster.Start(cmd)
	if err != nil {
		return nil, fmt.Errorf("start the operator: %w", err)
	}
	process := &Process{cmd: cmd, done: done}
	return process, p.awaitReady(ctx, process)
}

func (p *Program) awaitReady(ctx context.Context, process *Process) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return p.cluster.DialContext(ctx, network, address)
		},
	}}
	url := "http://127.0.0.1:" + strconv.Itoa(p.healthPort) + "/readyz"
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody); err == nil {
			if response, err := client.Do(request); err == nil {
				response.Body.Close()
				if response.StatusCode == http.StatusOK {
					return nil
				}
			}
		}
		select {
		case err := <-process.done:
			return fmt.Errorf("the operator ended: %w; its log is %s", err, p.Log())
		case <-ctx.Done():
			return fmt.Errorf("the operator is not ready: %w; its log is %s", ctx.Err(), p.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends the instance as a crash would, and returns when it is gone.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// Pause stops the instance in the middle of whatever it does; Resume lets it go
// on, not knowing that time has passed.
func (p *Process) Pause() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused instance go on.
func (p *Process) Resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// LogTail is the end of the log, for the report of a failure.
func (p *Program) LogTail() string {
	const limit = 4000
	raw, err := os.ReadFile(p.Log())
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-limit):])
}
