// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// parts are the directories of config/ that an install is made of, and default,
// which has the policy that it begins with.
var parts = []string{"crd", "rbac", "policy", "webhook", "manager", "default"}

// edit turns a text of a manifest into one of a template. The text has to be
// there exactly as often as said, so that a change of the manifest that would
// pass a value by is an error.
type edit struct {
	from, to string
	times    int
}

// everywhere is done to every manifest, however often the text is there.
var everywhere = edit{from: "countersign-system", to: "{{ .Release.Namespace }}"}

// edits are by the file in config/.
var edits = map[string][]edit{
	// An uninstall leaves the Releases, and with them what they serve.
	"crd/bases/countersign.dev_releases.yaml":         {keep},
	"crd/bases/countersign.dev_approvalpolicies.yaml": {keep},
	"manager/operator.yaml":                           append(deployment("operator", "        - --metrics-bind-address=:8443\n", flags), notifications),
	"manager/webhook.yaml":                            deployment("webhook", "        - --webhook-port=9443\n", logLevel),
	"manager/network.yaml": {{
		from: "    - port: webhook\n      protocol: TCP\n",
		to: `    - port: webhook
      protocol: TCP
    {{- with .Values.networkPolicy.apiServers }}
    from:
    {{- range . }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
    {{- end }}
`,
		times: 1,
	}},
	"default/policy.yaml": {{
		from: "metadata:\n  name: default\n",
		to: `metadata:
  name: default
  annotations:
    helm.sh/hook: post-install
    helm.sh/hook-delete-policy: hook-failed
`,
		times: 1,
	}},
}

// keep tells Helm to leave an object where it is.
var keep = edit{from: "  annotations:\n    controller-gen", to: "  annotations:\n    helm.sh/resource-policy: keep\n    controller-gen", times: 1}

// notifications mount the Secret that has the key of notifications. It is a directory,
// so that another key comes without a restart.
var notifications = edit{from: "            drop: [ALL]\n", to: `            drop: [ALL]
        {{- if .Values.notifications.url }}
        volumeMounts:
        - name: notifications
          mountPath: /etc/countersign/notifications
          readOnly: true
      volumes:
      - name: notifications
        secret:
          secretName: {{ .Values.notifications.secret }}
        {{- end }}
`, times: 1}

const logLevel = `        {{- with .Values.logLevel }}
        - --zap-log-level={{ . }}
        {{- end }}
`

const flags = logLevel + `        {{- with .Values.operator.keyAge }}
        - --key-age={{ . }}
        {{- end }}
        {{- with .Values.operator.keyOverlap }}
        - --key-overlap={{ . }}
        {{- end }}
        {{- with .Values.traces.endpoint }}
        - --traces-endpoint={{ . }}
        {{- end }}
        {{- with .Values.notifications }}
        {{- if .url }}
        - --notify-url={{ .url }}
        - --notify-key-file=/etc/countersign/notifications/key
        {{- if .ca }}
        - --notify-ca-file=/etc/countersign/notifications/ca.crt
        {{- end }}
        {{- with .reasons }}
        - --notify-reasons={{ join "," . }}
        {{- end }}
        {{- with .retryFor }}
        - --notify-retry-for={{ . }}
        {{- end }}
        {{- end }}
        {{- end }}
`

// deployment has the values of one of the two Deployments put in, with flags
// after the last that the manifest has.
func deployment(name, last, flags string) []edit {
	value := "{{ .Values." + name
	return []edit{
		{from: "  replicas: 2\n", to: "  replicas: " + value + ".replicas }}\n", times: 1},
		{from: "      priorityClassName: system-cluster-critical\n", to: `      {{- with .Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
      {{- toYaml . | nindent 6 }}
      {{- end }}
`, times: 1},
		{from: "        image: countersign.local/operator:v1\n", to: `        image: {{ with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}{{ end }}
        {{- with .Values.image.pullPolicy }}
        imagePullPolicy: {{ . }}
        {{- end }}
`, times: 1},
		{from: last, to: last + flags, times: 1},
		{from: resources(name), to: "        resources:\n          {{- toYaml .Values." + name + ".resources | nindent 10 }}\n", times: 1},
		{from: "      terminationGracePeriodSeconds: 30\n", to: `      terminationGracePeriodSeconds: 30
      {{- with .Values.` + name + `.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.` + name + `.tolerations }}
      tolerations:
      {{- toYaml . | nindent 6 }}
      {{- end }}
      {{- with .Values.` + name + `.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
`, times: 1},
	}
}

func resources(name string) string {
	memory := map[string]string{"operator": "256Mi", "webhook": "128Mi"}[name]
	return "        resources:\n          requests:\n            cpu: 50m\n            memory: 64Mi\n          limits:\n            memory: " + memory + "\n"
}

// conditions are by kind of object: when it is part of an install.
var conditions = map[string]string{
	"PodDisruptionBudget": ".Values.podDisruptionBudget.create",
	"NetworkPolicy":       ".Values.networkPolicy.create",
	// Whoever owns it may have changed it since another install.
	"ApprovalPolicy": `and .Values.firstPolicy.create (not (and (.Capabilities.APIVersions.Has "countersign.dev/v1alpha1/ApprovalPolicy") (lookup "countersign.dev/v1alpha1" "ApprovalPolicy" "" "default")))`,
}

// generate returns what is made from config/ and the schema of the values, by
// name from the top of a checkout.
func generate(root string) (map[string][]byte, error) {
	files, err := templates(root)
	if err != nil {
		return nil, err
	}
	schema, err := readSchema(filepath.Join(root, directory, "values.schema.json"))
	if err != nil {
		return nil, err
	}
	files[directory+"/values.yaml"] = []byte(schema.defaults())
	if err := watching(root, files); err != nil {
		return nil, err
	}
	name := "docs/install.md"
	page, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	files[name], err = replaceTable(page, schema.table())
	return files, err
}

func templates(root string) (map[string][]byte, error) {
	files, done := map[string][]byte{}, map[string]bool{}
	for _, part := range parts {
		var list struct{ Resources []string }
		raw, err := os.ReadFile(filepath.Join(root, "config", part, "kustomization.yaml"))
		if err != nil {
			return nil, err
		}
		if err := yaml.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("config/%s: %w", part, err)
		}
		for _, name := range list.Resources {
			if strings.HasPrefix(name, "../") {
				continue // another of parts
			}
			source := part + "/" + name
			raw, err := os.ReadFile(filepath.Join(root, "config", source))
			if err != nil {
				return nil, err
			}
			text, err := template(source, raw)
			if err != nil {
				return nil, err
			}
			files[directory+"/templates/config-"+part+"-"+filepath.Base(name)] = text
			done[source] = true
		}
	}
	for source := range edits {
		if !done[source] {
			return nil, fmt.Errorf("config/%s is to be edited, and is no part of an install", source)
		}
	}
	return files, nil
}

// template turns a manifest into a template, with its comments.
func template(source string, manifest []byte) ([]byte, error) {
	text := strings.TrimPrefix(string(manifest), "---\n")
	if strings.Contains(text, "{{") {
		return nil, fmt.Errorf("config/%s has {{ in it, which a template would evaluate", source)
	}
	for _, e := range edits[source] {
		if got := strings.Count(text, e.from); got != e.times {
			return nil, fmt.Errorf("config/%s has the following %d times, want %d; change edits in hack/chart/generate.go with it:\n%s", source, got, e.times, e.from)
		}
		text = strings.ReplaceAll(text, e.from, e.to)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "{{- /* Made from config/%s by hack/chart; change that, and run: make generate */}}\n", source)
	for _, document := range strings.Split(text, "\n---\n") {
		var o struct {
			Kind     string
			Metadata struct{ Name string }
		}
		// A template is no YAML, so the kind is looked for by hand.
		for _, line := range strings.Split(document, "\n") {
			if kind, ok := strings.CutPrefix(line, "kind: "); ok {
				o.Kind = kind
			}
			if name, ok := strings.CutPrefix(line, "  name: "); ok && o.Metadata.Name == "" {
				o.Metadata.Name = name
			}
		}
		if o.Kind == "Namespace" && o.Metadata.Name == everywhere.from {
			continue // the namespace of the install, which has to be there before
		}
		document = strings.ReplaceAll(strings.TrimSuffix(document, "\n"), everywhere.from, everywhere.to) + "\n"
		if condition := conditions[o.Kind]; condition != "" {
			document = "{{- if " + condition + " }}\n" + document + "{{- end }}\n"
		}
		out.WriteString("---\n" + document)
	}
	return out.Bytes(), nil
}
