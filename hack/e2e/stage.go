// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

// stageManifest is a namespace in which one person of qa and one of security have
// to agree, with a Service that leads nowhere yet.
const stageManifest = `
apiVersion: v1
kind: Namespace
metadata: {name: NAMESPACE}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: NAMESPACE, name: approvers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: release-approver}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: qa}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: security}
---
apiVersion: countersign.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: NAMESPACE}
spec:
  namespaces: [NAMESPACE]
  rules:
  - {name: qa, count: 1, groups: [qa]}
  - {name: security, count: 1, groups: [security], canVeto: true}
---
apiVersion: v1
kind: Service
metadata: {namespace: NAMESPACE, name: shop}
spec:
  ports: [{name: http, port: 80, targetPort: http}]
`
