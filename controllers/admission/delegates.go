// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	"github.com/countersign/countersign/controllers/receipt"
)

// onBehalfOf is the person for whom a program changes the content, as it says;
// empty if it does not. The annotation stays what it is: a sync that sends it
// again and again must not be refused. What counts is the list of authors.
func (w *Webhook) onBehalfOf(ctx context.Context, r *review) (person string, err error) {
	person, has := r.now.Annotations[v1alpha1.OnBehalfOfAnnotation]
	was, had := r.before(v1alpha1.OnBehalfOfAnnotation)
	said := has && (!had || was != person)
	if !has || !said && !(r.contentChanged && isBot(r.user)) {
		return "", nil
	}
	policies, err := w.policies(ctx, r)
	if err != nil {
		return "", err
	}
	// Whoever may impersonate a program is not the program.
	trusted := approval.MayName(policies, r.user) && ownToken(r.req.UserInfo)
	switch {
	case !trusted && !said:
		return "", nil // somebody else said so before
	case !trusted:
		return "", refuse("Delegate", "%s cannot say for whom the content is changed: no ApprovalPolicy of namespace %s has it in trustedDelegates, or it did not show a token of its own; leave annotation %s out, or ask the platform team to add the account: kubectl edit approvalpolicy",
			r.user, r.now.Namespace, v1alpha1.OnBehalfOfAnnotation)
	case !receipt.SafeUser(person) || isBot(person):
		return "", refuse("Delegate", "%q in annotation %s is no person that can be put on record (letters, digits and @._:/#+=- can, and no account of the system); write the username with which they would vote",
			person, v1alpha1.OnBehalfOfAnnotation)
	case !r.contentChanged:
		r.warn("annotation %s makes nobody an author, because the content stays as it is", v1alpha1.OnBehalfOfAnnotation)
		return "", nil
	}
	return person, nil
}

// joined are the authors when a user changes what former authors wrote, for a
// person if it says so. A program that was silent once is silent for good.
func joined(former receipt.Record, user, person string) (names, delegates []string) {
	names = append(slices.Clone(former.Names), user)
	delegates = slices.Clone(former.Delegates)
	silent := slices.Contains(former.Names, user) && !slices.Contains(former.Delegates, user)
	if person != "" {
		names = append(names, person)
	}
	if person != "" && !silent {
		delegates = append(delegates, user)
	} else {
		delegates = slices.DeleteFunc(delegates, func(d string) bool { return d == user })
	}
	return sorted(names), sorted(delegates)
}

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
