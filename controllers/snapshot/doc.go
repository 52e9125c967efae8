// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package snapshot knows which ConfigMaps and Secrets a Pod template refers to,
// what identifies their contents, what their copies are called, and how a
// template is made to use the copies.
//
// It is pure. References are those by which the containers of a Pod get their
// environment and files: env, envFrom, and the volumes configMap, secret and
// projected. Not among them are
//
//   - imagePullSecrets, and the Secrets by which nodes mount volumes (secretRef
//     and secretName of csi, azureFile, cephfs, iscsi, rbd and the like): they are
//     credentials of the node. No container sees them, and what they fetch is
//     covered elsewhere (images by their digests) or is not content (data).
//     They are also renewed while they are in use;
//   - ephemeralContainers, which no template has.
package snapshot
