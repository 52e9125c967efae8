// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import "testing"

type operator struct{}

func (o *operator) stop() {}

func startOperator(t testing.TB, w *world) {}
