-- Copyright The Countersign Authors.
-- SPDX-License-Identifier: Apache-2.0

obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["countersign.dev/rollback"] = obj.status.active.digest
return obj
