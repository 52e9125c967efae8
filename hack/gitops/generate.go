// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

const (
	scripts       = "config/gitops/argocd/countersign.dev/Release"
	configMapFile = "config/gitops/argocd/argocd-cm.yaml"
)

const configMapHead = `# Copyright The Countersign Authors.
# SPDX-License-Identifier: Apache-2.0

# Made from the Lua files beside it by hack/gitops; change those, and run: make generate
# It adds two keys to the ConfigMap that Argo CD reads:
#   kubectl patch configmap argocd-cm -n argocd --type=merge --patch-file argocd-cm.yaml
`

// configMap is what Argo CD reads, with the scripts under root.
func configMap(root string) ([]byte, error) {
	health, err := os.ReadFile(filepath.Join(root, scripts, "health.lua"))
	if err != nil {
		return nil, err
	}
	actions, err := actionsIn(filepath.Join(root, scripts, "actions"))
	if err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]string{"name": "argocd-cm"},
		"data": map[string]string{
			"resource.customizations.health.countersign.dev_Release":  string(health),
			"resource.customizations.actions.countersign.dev_Release": string(actions),
		},
	})
	return append([]byte(configMapHead), text...), err
}

// actionsIn is the value that holds all actions.
func actionsIn(directory string) ([]byte, error) {
	discovery, err := os.ReadFile(filepath.Join(directory, "discovery.lua"))
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(directory, "*", "action.lua"))
	if err != nil {
		return nil, err
	}
	var definitions []map[string]string
	for _, file := range files {
		script, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		definitions = append(definitions, map[string]string{"name": filepath.Base(filepath.Dir(file)), "action.lua": string(script)})
	}
	return yaml.Marshal(map[string]any{"discovery.lua": string(discovery), "definitions": definitions})
}

func writeConfigMap() error {
	text, err := configMap(".")
	if err != nil {
		return err
	}
	return os.WriteFile(configMapFile, text, 0o644)
}
