// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"fmt"
	"slices"

	"github.com/countersign/countersign/api/v1alpha1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
)

// Gate is what was read of the guards of the gate. What is nil is not there, unless
// Unread says that it could not be read.
type Gate struct {
	// Wanted are the names of the policies that this version ships; each has a
	// binding of the same name.
	Wanted   []string
	Policies map[string]*admissionregistrationv1.ValidatingAdmissionPolicy
	Bindings map[string]*admissionregistrationv1.ValidatingAdmissionPolicyBinding
	// WantedWebhook is the webhook's configuration that this version ships.
	WantedWebhook *admissionregistrationv1.MutatingWebhookConfiguration
	Webhook       *admissionregistrationv1.MutatingWebhookConfiguration
	// Keys is the ConfigMap of those that are trusted.
	Keys *corev1.ConfigMap
	// Processes are the Deployments of the operator and its webhook.
	Processes []appsv1.Deployment
	// Releases that tell what the self-test found.
	Releases []v1alpha1.Release
	// Unread says, for each of the Guard names, why it could not be read.
	Unread map[string]string
}

// Names of guards.
const (
	GuardPolicies  = "admission policies"
	GuardBindings  = "bindings"
	GuardWebhook   = "webhook"
	GuardKeys      = "trusted keys"
	GuardProcesses = "operator"
	GuardSelfTest  = "self-test"
)

// States of a guard.
const (
	StateIntact  = "intact"
	StateBroken  = "broken"
	StateUnknown = "unknown"
)

// Checkup is what was found of the gate.
type Checkup struct {
	Findings []Finding `json:"findings"`
}

// Finding about one guard.
type Finding struct {
	Guard string `json:"guard"`
	State string `json:"state"`
	Says  string `json:"says"`
}

// Intact is true when no guard was found broken.
func (c Checkup) Intact() bool {
	return !slices.ContainsFunc(c.Findings, func(f Finding) bool { return f.State == StateBroken })
}

// CheckupOf the gate. It finds what is missing or switched off; only the operator
// compares each policy in full, and tries it.
func CheckupOf(g *Gate) (c Checkup) {
	c.policies(g)
	c.bindings(g)
	c.webhook(g)
	c.keys(g)
	c.processes(g)
	c.selfTest(g)
	return c
}

func (c *Checkup) find(guard, state, format string, args ...any) {
	c.Findings = append(c.Findings, Finding{guard, state, fmt.Sprintf(format, args...)})
}

// unread tells of a guard that could not be read.
func (c *Checkup) unread(g *Gate, guard string) bool {
	why, is := g.Unread[guard]
	if is {
		c.find(guard, StateUnknown, "%s", why)
	}
	return is
}

const restorePolicies = "put it back: kubectl apply --server-side --force-conflicts -k config/policy"

func (c *Checkup) policies(g *Gate) {
	if c.unread(g, GuardPolicies) {
		return
	}
	broken := 0
	for _, name := range g.Wanted {
		switch p := g.Policies[name]; {
		case p == nil:
			c.find(GuardPolicies, StateBroken, "ValidatingAdmissionPolicy %s is missing; %s", name, restorePolicies)
		case p.Spec.FailurePolicy != nil && *p.Spec.FailurePolicy != admissionregistrationv1.Fail:
			c.find(GuardPolicies, StateBroken, "ValidatingAdmissionPolicy %s lets pass what it cannot judge (failurePolicy %s); %s", name, *p.Spec.FailurePolicy, restorePolicies)
		default:
			continue
		}
		broken++
	}
	if broken == 0 {
		c.find(GuardPolicies, StateIntact, "all %d are there", len(g.Wanted))
	}
}

func (c *Checkup) bindings(g *Gate) {
	if c.unread(g, GuardBindings) {
		return
	}
	broken := 0
	for _, name := range g.Wanted {
		switch b := g.Bindings[name]; {
		case b == nil:
			c.find(GuardBindings, StateBroken, "ValidatingAdmissionPolicyBinding %s is missing, so that nothing is refused by it; %s", name, restorePolicies)
		case !slices.Contains(b.Spec.ValidationActions, admissionregistrationv1.Deny):
			c.find(GuardBindings, StateBroken, "ValidatingAdmissionPolicyBinding %s does not deny (validationActions %v); %s", name, b.Spec.ValidationActions, restorePolicies)
		default:
			continue
		}
		broken++
	}
	if broken == 0 {
		c.find(GuardBindings, StateIntact, "all %d deny", len(g.Wanted))
	}
}

func (c *Checkup) webhook(g *Gate) {
	const restore = "put it back: kubectl apply --server-side --force-conflicts -k config/webhook"
	if c.unread(g, GuardWebhook) {
		return
	}
	if g.Webhook == nil {
		c.find(GuardWebhook, StateBroken, "MutatingWebhookConfiguration countersign is missing, so that no vote is signed; %s", restore)
		return
	}
	for i := range g.WantedWebhook.Webhooks {
		want := &g.WantedWebhook.Webhooks[i]
		k := slices.IndexFunc(g.Webhook.Webhooks, func(h admissionregistrationv1.MutatingWebhook) bool { return h.Name == want.Name })
		if k < 0 {
			c.find(GuardWebhook, StateBroken, "webhook %s is missing in MutatingWebhookConfiguration countersign; %s", want.Name, restore)
			return
		}
		if wanted, is := fails(want), fails(&g.Webhook.Webhooks[k]); wanted != is {
			c.find(GuardWebhook, StateBroken, "webhook %s has failurePolicy %s, and this version ships %s; %s", want.Name, is, wanted, restore)
			return
		}
	}
	c.find(GuardWebhook, StateIntact, "%s called", plural(len(g.WantedWebhook.Webhooks), "webhook"))
}

// fails is what becomes of a request that a webhook cannot judge.
func fails(h *admissionregistrationv1.MutatingWebhook) admissionregistrationv1.FailurePolicyType {
	if h.FailurePolicy == nil {
		return admissionregistrationv1.Fail
	}
	return *h.FailurePolicy
}

func (c *Checkup) keys(g *Gate) {
	if c.unread(g, GuardKeys) {
		return
	}
	if g.Keys == nil || len(g.Keys.Data)+len(g.Keys.BinaryData) == 0 {
		c.find(GuardKeys, StateBroken, "ConfigMap countersign-trusted-keys is missing or empty; the operator that leads writes it: kubectl get deployments -n countersign-system")
		return
	}
	c.find(GuardKeys, StateIntact, "ConfigMap %s is there", g.Keys.Name)
}

func (c *Checkup) processes(g *Gate) {
	if c.unread(g, GuardProcesses) {
		return
	}
	if len(g.Processes) == 0 {
		c.find(GuardProcesses, StateUnknown, "no Deployment in the namespace of the operator; if it is another, name it with --system-namespace, and if there is none, install it: kubectl apply --server-side -k config/default")
		return
	}
	broken := 0
	for i := range g.Processes {
		if d := &g.Processes[i]; d.Status.AvailableReplicas == 0 {
			broken++
			c.find(GuardProcesses, StateBroken, "Deployment %s has no available Pod; look at it: kubectl describe deployment %s -n %s", d.Name, d.Name, d.Namespace)
		}
	}
	if broken == 0 {
		c.find(GuardProcesses, StateIntact, "%s available", plural(len(g.Processes), "Deployment"))
	}
}

// selfTest is what the operator says about it. It says so only of a Release that
// nothing else holds back.
func (c *Checkup) selfTest(g *Gate) {
	if c.unread(g, GuardSelfTest) {
		return
	}
	frozen, promotable := 0, 0
	for i := range g.Releases {
		rel := &g.Releases[i]
		approved := meta.FindStatusCondition(rel.Status.Conditions, v1alpha1.ConditionApproved)
		switch {
		case approved == nil:
		case approved.Reason == v1alpha1.ReasonGateFrozen:
			frozen++
			c.find(GuardSelfTest, StateBroken, "Release %s: %s", rel.Name, approved.Message)
		case approved.Reason == v1alpha1.ReasonQuorumMet:
			promotable++
		}
	}
	switch {
	case frozen > 0:
	case promotable > 0:
		c.find(GuardSelfTest, StateIntact, "nothing that is approved is held back by it")
	default:
		c.find(GuardSelfTest, StateUnknown, "no Release here is approved and held back by nothing else, and only such a one would tell; its events: kubectl get events -n countersign-probe")
	}
}

// Text is the checkup for a person.
func (c Checkup) Text(style Style) string {
	p := &page{Style: style}
	switch {
	case !c.Intact():
		p.line(cell{"The gate is not intact: nothing is promoted until it is. Going back works.", bad})
	case slices.ContainsFunc(c.Findings, func(f Finding) bool { return f.State == StateUnknown }):
		p.line(cell{"Nothing is wrong with the gate as far as could be seen.", doubtful})
	default:
		p.line(cell{"The gate is intact.", good})
	}
	p.text.WriteByte('\n')
	tones := map[string]tone{StateIntact: good, StateBroken: bad, StateUnknown: doubtful}
	var rows [][]cell
	for _, f := range c.Findings {
		rows = append(rows, []cell{{f.State, tones[f.State]}, text("%s", f.Guard), text("%s", f.Says)})
	}
	p.table(rows)
	return p.String()
}
