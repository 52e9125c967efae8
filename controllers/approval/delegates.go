// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"slices"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
)

// delegatesOf are the users of the programs that a spec trusts.
func delegatesOf(spec v1alpha1.ApprovalPolicySpec) (users []string) {
	for _, d := range spec.TrustedDelegates {
		if namespace, name, ok := strings.Cut(d.ServiceAccount, "/"); ok {
			users = append(users, "system:serviceaccount:"+namespace+":"+name)
		}
	}
	return users
}

// MayName tells whether any policy trusts a program to say for whom it writes. It
// makes that person an author, and nobody less.
func MayName(policies []Policy, user string) bool {
	return isProgram(user) && slices.ContainsFunc(policies, func(p Policy) bool { return slices.Contains(p.TrustedDelegates, user) })
}

// Trusted are the programs whose word every policy with seats takes: what they
// wrote is not of an unknown author.
func Trusted(policies []Policy, programs []string) (trusted []string) {
	for _, program := range set(programs) {
		asked, all := false, true
		for i := range policies {
			if policies[i].Name != AddedName && !policies[i].seatless() {
				asked, all = true, all && slices.Contains(policies[i].TrustedDelegates, program)
			}
		}
		if asked && all {
			trusted = append(trusted, program)
		}
	}
	return trusted
}
