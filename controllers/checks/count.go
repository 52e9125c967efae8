// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
)

// errNobody is neither success nor failure: that Pods are not ready is watched
// elsewhere.
var errNobody = errors.New("there are not all ready Pods to ask")

// errMoved is of a round that began with Pods that are none of the targets by
// its end. Another Pod may have got the address of one: what it answered proves
// nothing.
var errMoved = errors.New("the Pods changed while they were asked")

// unclear is an outcome that says nothing about the content under test.
type unclear struct{ why string }

func (u unclear) Error() string { return u.why }

func unclearf(format string, args ...any) error { return unclear{fmt.Sprintf(format, args...)} }

func isUnclear(err error) bool {
	var u unclear
	return errors.As(err, &u)
}

// outcome of a round: what was asked, what came of it, and what the targets are
// by now. A failure of one that is still there counts for all.
func outcome(asked []Target, errs []error, now []Target) error {
	var other error
	still := make(map[Target]bool, len(now))
	for _, target := range now {
		still[target] = true
	}
	for i, target := range asked {
		switch {
		case !still[target]:
			other = errMoved
		case errs[i] != nil && !isUnclear(errs[i]):
			return errs[i]
		case errs[i] != nil && other == nil:
			other = errs[i]
		}
	}
	return other
}

// count one round and tell whether state or message changed. A failed check
// stays failed. One that passed before the switch stays passed unless it fails;
// one after the switch is passed only as long as it passes. A round that could
// not find out ends a row of successes, and leaves the failures as they are.
func (st *runState) count(err error, now time.Time) bool {
	switch {
	case errors.Is(err, errMoved):
		return false
	case err == nil:
		st.passes, st.failures = st.passes+1, 0
	case errors.Is(err, errNobody), isUnclear(err):
		st.passes = 0
	default:
		st.passes, st.failures = 0, st.failures+1
	}
	state, message := st.verdict(err)
	if state == st.result.State && message == st.result.Message {
		return false
	}
	st.result.State, st.result.Message, st.result.At = state, message, now
	return true
}

// verdict after a round. Messages do not count on, so that a state that lasts
// is told once.
func (st *runState) verdict(err error) (v1alpha1.CheckState, string) {
	c, before := st.run.Check, st.run.Stage == v1alpha1.StageBeforeSwitch
	needed := int32(1)
	if before {
		needed = max(c.SuccessThreshold, 1)
	}
	switch {
	case st.result.State == v1alpha1.CheckFailed:
	case st.failures >= max(c.FailureThreshold, 1) && !isUnclear(err) && !errors.Is(err, errNobody):
		return v1alpha1.CheckFailed, fmt.Sprintf("%d times in a row: %v", st.failures, err)
	case st.result.State == v1alpha1.CheckPassed && (before || err == nil):
	case err == nil && st.passes >= needed:
		return v1alpha1.CheckPassed, passedText(c)
	case err == nil:
		return v1alpha1.CheckRunning, fmt.Sprintf("it passes, and has to %d times in a row", needed)
	case isUnclear(err):
		return v1alpha1.CheckInconclusive, err.Error()
	case errors.Is(err, errNobody):
		return v1alpha1.CheckRunning, err.Error()
	default:
		return v1alpha1.CheckRunning, "it does not pass: " + err.Error()
	}
	return st.result.State, st.result.Message
}

func passedText(c v1alpha1.Check) string {
	if c.Prometheus != nil {
		return "the result of the query is as it should be"
	}
	return "every Pod answered as expected"
}
