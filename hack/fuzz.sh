#!/usr/bin/env bash
# Copyright The Countersign Authors.
# SPDX-License-Identifier: Apache-2.0

# Runs every fuzz target, one after the other. They share the time that is given,
# such as 10m or 90s: go test fuzzes one target at a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=${1:-10m}
case $time in
*m) seconds=$((${time%m} * 60)) ;;
*s) seconds=${time%s} ;;
*) echo "the time $time is neither in minutes nor in seconds, such as 10m or 90s" >&2 && exit 2 ;;
esac

targets=$(grep -rno --include='*_test.go' '^func Fuzz[A-Za-z]*' controllers | sed 's|/[^/:]*:[0-9]*:func | |')
share=$((seconds / $(wc -l <<<"$targets")))
((share > 0)) || share=1
while read -r package target; do
  echo "$package $target ${share}s"
  "${GO:-go}" test "./$package" -run '^$' -fuzz "^$target\$" -fuzztime "${share}s" -parallel 2
done <<<"$targets"
echo "fuzzed=$(wc -l <<<"$targets") crashed=0"
