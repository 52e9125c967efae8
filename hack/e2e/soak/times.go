// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package soak

import (
	"fmt"
	"math"
	"time"
)

// Times are durations in ascending order.
type Times []time.Duration

// At is the smallest that a share of all does not exceed; zero if there are none.
func (t Times) At(share float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	rank := int(math.Ceil(share * float64(len(t))))
	return t[min(max(rank, 1), len(t))-1]
}

// Median of all.
func (t Times) Median() time.Duration { return t.At(0.5) }

// P99 of all.
func (t Times) P99() time.Duration { return t.At(0.99) }

// Max of all.
func (t Times) Max() time.Duration { return t.At(1) }

func (t Times) String() string {
	if len(t) == 0 {
		return "none"
	}
	return fmt.Sprintf("p50 %s, p99 %s, max %s", Millis(t.Median()), Millis(t.P99()), Millis(t.Max()))
}

// Millis shows a time in milliseconds.
func Millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", millis(d)) }
