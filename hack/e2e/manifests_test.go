// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

const releaseManifest = `
apiVersion: countersign.dev/v1alpha1
kind: Release
metadata: {namespace: NAMESPACE, name: shop}
spec:
  replicas: REPLICAS
  services: [{name: shop}]
  observeSeconds: 1
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: app
        image: countersign.local/demoapp:VERSION
        imagePullPolicy: Never
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 1}
  checks:
    beforeSwitch: [{name: smoke, http: {path: /healthz, port: http}}]
    afterSwitch: [{name: live, periodSeconds: 1, failureThreshold: 2, http: {path: /healthz, port: http}}]
`
