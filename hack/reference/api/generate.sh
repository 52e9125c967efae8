#!/usr/bin/env bash
# Copyright The Countersign Authors.
# SPDX-License-Identifier: Apache-2.0

# Writes the reference of the API: generate.sh FILE
set -euo pipefail
file=$(realpath "$1")
cd "$(dirname "$0")"
go tool crd-ref-docs --config=config.yaml --source-path=../../../api/v1alpha1 --renderer=markdown \
  --templates-dir=templates --log-level=ERROR --output-path="$file"
