// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// restartDigits is how long the number of a restart can be: it fits an int64, and
// so does one more.
const restartDigits = 18

// RestartStatus is a request to make the Pods of a content anew.
type RestartStatus struct {
	// number that was asked with. Only a larger one asks again.
	Number int64 `json:"number"`
	// askedBy is who asked.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	AskedBy string `json:"askedBy,omitempty"`
	// at is when it was put on record, before any Pod was made anew.
	At metav1.Time `json:"at"`
	// finishedAt is when all Pods were those that were made anew. Unset until then.
	// +optional
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`
	// cancelledAt is when it was given up because traffic moved, before all Pods
	// were made anew. Unset unless it was.
	// +optional
	CancelledAt *metav1.Time `json:"cancelledAt,omitempty"`
}

// Open tells whether Pods are still being made anew.
func (r *RestartStatus) Open() bool {
	return r != nil && r.FinishedAt == nil && r.CancelledAt == nil
}

// Last is the number of the last request; 0 if there was none.
func (r *RestartStatus) Last() int64 {
	if r == nil {
		return 0
	}
	return r.Number
}

// RestartRequest is what a request to make the Pods of the content anew can say
// next: its digest and a number.
func (c *Content) RestartRequest() string {
	return c.Digest + "/" + strconv.FormatInt(c.Restart.Last()+1, 10)
}

// RestartNumber is the number of a request to make the Pods of the content anew; 0
// if the request is about other content, or about what was asked already.
func (c *Content) RestartNumber(request string) int64 {
	digest, number, _ := strings.Cut(request, "/")
	if n := ParseRestart(number); digest == c.Digest && digest != "" && n > c.Restart.Last() {
		return n
	}
	return 0
}

// ParseRestart is the number of a restart as RestartsAnnotation has it: up to 18
// digits, the first not 0. Anything else is 0.
func ParseRestart(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || len(s) > restartDigits || strconv.FormatInt(n, 10) != s {
		return 0
	}
	return n
}
