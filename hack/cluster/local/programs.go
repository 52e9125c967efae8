// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/process"
)

// run starts one of the cached programs, with its log under the directory.
func (c *ControlPlane) run(name string, args ...string) error {
	c.say("starting %s", name)
	_, err := c.group.Start(process.Spec{
		Name: name,
		Path: c.bin.Path(name),
		Args: args,
		Log:  filepath.Join(c.dir, "logs", name+".log"),
	})
	return err
}

func (c *ControlPlane) startEtcd(context.Context) error {
	e := c.opts.endpoint
	return c.run("etcd",
		"--name=local",
		"--data-dir="+filepath.Join(c.dir, "etcd"),
		"--listen-client-urls="+e.etcdURL(),
		"--advertise-client-urls="+e.etcdURL(),
		"--listen-peer-urls="+e.peerURL(),
		"--initial-advertise-peer-urls="+e.peerURL(),
		"--initial-cluster=local="+e.peerURL(),
		"--unsafe-no-fsync", // the data does not outlive the cluster
		"--log-level=warn",
	)
}

func (c *ControlPlane) startAPIServer(context.Context) error {
	if err := c.writeAPIServerFiles(); err != nil {
		return err
	}
	e := c.opts.endpoint
	args := []string{
		"--etcd-servers=" + e.etcdURL(),
		fmt.Sprintf("--secure-port=%d", e.port),
		"--bind-address=" + e.bind,
		"--advertise-address=" + e.address,
		"--service-cluster-ip-range=" + e.services.String(),
		"--tls-cert-file=" + c.ca.File("apiserver.crt"),
		"--tls-private-key-file=" + c.ca.File("apiserver.key"),
		"--client-ca-file=" + c.ca.File("ca.crt"),
		"--kubelet-certificate-authority=" + c.ca.File("ca.crt"),
		"--kubelet-client-certificate=" + c.ca.File("apiserver-kubelet.crt"),
		"--kubelet-client-key=" + c.ca.File("apiserver-kubelet.key"),
		"--kubelet-preferred-address-types=InternalIP", // there is no DNS for its name
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.ca.File("service-accounts.key"),
		"--service-account-signing-key-file=" + c.ca.File("service-accounts.key"),
		"--authentication-config=" + c.file("authentication.json"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--endpoint-reconciler-type=" + e.reconciler(),
		"--allow-privileged=true",
		"--audit-policy-file=" + c.file("audit-policy.json"),
		"--audit-log-path=" + c.AuditLog(),
		"--audit-log-maxsize=0", // one file, so that requests can be counted
		"--profiling=false",
	}
	return c.run("kube-apiserver", append(args, c.opts.APIServerArgs...)...)
}

func (c *ControlPlane) file(name string) string { return filepath.Join(c.dir, name) }

func (c *ControlPlane) writeAPIServerFiles() error {
	err := writeJSON(c.file("authentication.json"), map[string]any{
		"apiVersion": "apiserver.config.k8s.io/v1",
		"kind":       "AuthenticationConfiguration",
		"jwt": []any{map[string]any{
			"issuer": map[string]any{
				"url":                  c.issuer.URL,
				"certificateAuthority": string(c.ca.PEM()),
				"audiences":            []string{identity.Audience},
			},
			"claimMappings": map[string]any{
				"username": map[string]any{"claim": "email", "prefix": ""},
				"groups":   map[string]any{"claim": "groups", "prefix": ""},
				"uid":      map[string]any{"claim": "sub"},
			},
		}},
	})
	if err != nil {
		return err
	}
	return writeJSON(c.file("audit-policy.json"), map[string]any{
		"apiVersion": "audit.k8s.io/v1",
		"kind":       "Policy",
		"omitStages": []string{"RequestReceived"}, // one line for each request
		"rules":      []any{map[string]any{"level": "Metadata"}},
	})
}

// writeJSON writes configuration for programs that read YAML, which JSON is.
func writeJSON(file string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o600)
}

// programConfig writes the kubeconfig of a program of the cluster.
func (c *ControlPlane) programConfig(name, user string, groups ...string) (string, error) {
	pair, err := c.ca.Client(user, groups...)
	if err != nil {
		return "", err
	}
	cfg := identity.NewKubeconfig(c.opts.endpoint.url(), c.ca.PEM())
	identity.AddPair(cfg, name, pair)
	file := c.file(name + ".kubeconfig")
	return file, identity.WriteKubeconfig(cfg, file)
}

func (c *ControlPlane) startControllers(ctx context.Context) error {
	if c.opts.scheduler {
		if err := c.startScheduler(); err != nil {
			return err
		}
	}
	if !c.opts.ControllerManager {
		return nil
	}
	config, err := c.programConfig("kube-controller-manager", "system:kube-controller-manager")
	if err != nil {
		return err
	}
	err = c.run("kube-controller-manager",
		"--kubeconfig="+config,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", c.opts.endpoint.manager),
		"--service-account-private-key-file="+c.ca.File("service-accounts.key"),
		"--root-ca-file="+c.ca.File("ca.crt"),
		"--use-service-account-credentials=true",
		"--leader-elect=false",
		// The default of 20 requests a second makes it the bottleneck.
		"--kube-api-qps=200", "--kube-api-burst=400",
		"--concurrent-deployment-syncs=20", "--concurrent-replicaset-syncs=20",
		"--concurrent-service-endpoint-syncs=20",
		"--endpointslice-updates-batch-period=0s",
		// An autoscaler looks so often; the default is 15 s.
		"--horizontal-pod-autoscaler-sync-period=2s",
	)
	if err != nil {
		return err
	}
	return c.waitDefaultAccount(ctx)
}

func (c *ControlPlane) startScheduler() error {
	config, err := c.programConfig("kube-scheduler", "system:kube-scheduler")
	if err != nil {
		return err
	}
	return c.run("kube-scheduler",
		"--kubeconfig="+config,
		"--authentication-kubeconfig="+config,
		"--authorization-kubeconfig="+config,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", c.opts.endpoint.schedule),
		"--leader-elect=false",
		"--kube-api-qps=200", "--kube-api-burst=400",
	)
}
