// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"os"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

const cluster = "local"

// NewKubeconfig makes a kubeconfig for one API server, without users.
func NewKubeconfig(server string, ca []byte) *api.Config {
	cfg := api.NewConfig()
	cfg.Clusters[cluster] = &api.Cluster{Server: server, CertificateAuthorityData: ca}
	return cfg
}

// AddPair adds a context whose user has a client certificate. The first context
// becomes the current one.
func AddPair(cfg *api.Config, name string, pair Pair) {
	add(cfg, name, &api.AuthInfo{ClientCertificateData: pair.Cert, ClientKeyData: pair.Key})
}

// AddToken adds a context whose user has a bearer token.
func AddToken(cfg *api.Config, name, token string) {
	add(cfg, name, &api.AuthInfo{Token: token})
}

func add(cfg *api.Config, name string, user *api.AuthInfo) {
	cfg.AuthInfos[name] = user
	cfg.Contexts[name] = &api.Context{Cluster: cluster, AuthInfo: name}
	if cfg.CurrentContext == "" {
		cfg.CurrentContext = name
	}
}

// WriteKubeconfig writes the file at once and for its owner only.
func WriteKubeconfig(cfg *api.Config, file string) error {
	data, err := clientcmd.Write(*cfg)
	if err != nil {
		return err
	}
	aside := file + ".new"
	if err := os.WriteFile(aside, data, 0o600); err != nil {
		return err
	}
	return os.Rename(aside, file)
}
