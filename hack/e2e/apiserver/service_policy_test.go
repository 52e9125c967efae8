// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	servicePolicy  = "service-guard.countersign.dev"
	selectorPolicy = "selector-guard.countersign.dev"
	slicePolicy    = "endpointslice-guard.countersign.dev"
)

func serviceText(name, role, epoch, selector string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata:
  name: %s
  labels: {countersign.dev/release: shop, countersign.dev/role: %s, team: shop}
  annotations: {countersign.dev/epoch: "%s"}
spec:
  selector: {countersign.dev/release: shop, countersign.dev/colour: %s}
  ports: [{name: http, port: 80, protocol: TCP, targetPort: 8080}]
`, name, role, epoch, selector)
}

func leadTo(colour string) func(*unstructured.Unstructured) {
	return set("spec.selector", selector("shop", colour))
}

func selector(release, colour string) map[string]any {
	return map[string]any{"countersign.dev/release": release, "countersign.dev/colour": colour}
}

func epoch(n string) func(*unstructured.Unstructured) { return annotate("countersign.dev/epoch", n) }

var owners = []any{map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}}

// serviceStage has Services of Release shop: shop, which leads to blue since
// epoch 3, its preview, parked, which leads nowhere yet, and leftover, which the
// Release does not name any more. foreign is nobody's.
func serviceStage(t *testing.T) *stage {
	s := newStage(t)
	s.actors["namespace-controller"] = s.account(t, "system:serviceaccount:kube-system:namespace-controller")
	for name, text := range map[string]string{
		"foreign":  serviceText("foreign", "", "", ""),
		"shop":     serviceText("shop", "active", "3", "blue"),
		"preview":  serviceText("preview", "preview", "", "green"),
		"parked":   serviceText("parked", "active", "0", "none"),
		"leftover": strings.Replace(serviceText("leftover", "active", "3", "blue"), "labels: {", "labels: {countersign.dev/deletable: \"true\", ", 1),
	} {
		o := object(t, text)
		if name == "foreign" {
			all(drop("metadata.labels"), drop("metadata.annotations"), set("spec.selector", map[string]any{"app": "foreign"}))(o)
		}
		s.put(t, "operator", o)
	}
	return s
}

func TestServicePolicy(t *testing.T) {
	s := serviceStage(t)
	for _, r := range serviceRules() {
		t.Run(r.says, func(t *testing.T) { s.run(t, r) })
	}
}

func serviceRules() []rule {
	rules := append(requesterRules(), epochRules()...)
	for i := range rules {
		rules[i].policy = servicePolicy
	}
	return rules
}

// requesterRules keep everybody but the operator from what a Release leads.
func requesterRules() []rule {
	made := serviceText("made", "active", "0", "none")
	return []rule{{
		row:      "sec/18",
		says:     " cannot create a Service with the label ",
		refused:  []attempt{{what: "with our label", who: "dev", create: made}},
		admitted: []attempt{{what: "by the operator", who: "operator", create: made}},
	}, {
		row:  "sec/12",
		says: " cannot change the selector of Service ",
		refused: []attempt{
			{what: "to the other colour", who: "dev", on: "services/shop", change: leadTo("green")},
			{what: "with a growing epoch", who: "dev", on: "services/shop", change: all(leadTo("green"), epoch("4"))},
			{what: "of both colours", who: "dev", on: "services/shop", change: drop("spec.selector.countersign~dev/colour")},
			{what: "one key more", who: "dev", on: "services/shop", change: set("spec.selector.app", "shop")},
			{what: "none at all", who: "admin", on: "services/shop", change: drop("spec.selector")},
			{what: "of the preview", who: "dev", on: "services/preview", change: leadTo("blue")},
			{what: "together with giving it up", who: "dev", on: "services/shop",
				change: all(leadTo("green"), label("countersign.dev/release", ""))},
		},
		admitted: []attempt{
			{what: "another label", who: "dev", on: "services/shop", change: label("team", "till")},
			{what: "of one's own Service", who: "dev", on: "services/foreign", change: set("spec.selector.app", "other")},
		},
	}, {
		row:  "sec/12",
		says: " cannot change the ports of Service ",
		refused: []attempt{
			{what: "another target", who: "dev", on: "services/shop", change: set("spec.ports", ports(80, 9090))},
			{what: "another port", who: "dev", on: "services/shop", change: set("spec.ports", ports(81, 8080))},
		},
		admitted: []attempt{
			{what: "by the operator", who: "operator", on: "services/preview", change: set("spec.ports", ports(80, 9090))},
			{what: "of one's own Service", who: "dev", on: "services/foreign", change: set("spec.ports", ports(80, 9090))},
		},
	}, {
		row:  "sec/12",
		says: " cannot change type, externalName, externalIPs or publishNotReadyAddresses of Service ",
		refused: []attempt{
			{what: "type", who: "dev", on: "services/shop", change: all(set("spec.type", "LoadBalancer"), set("spec.allocateLoadBalancerNodePorts", false))},
			{row: "sec/18", what: "externalName", who: "dev", on: "services/shop", change: set("spec.externalName", "elsewhere.example.com")},
			{what: "externalIPs", who: "dev", on: "services/shop", change: set("spec.externalIPs", []any{"192.0.2.1"})},
			{what: "publishNotReadyAddresses", who: "dev", on: "services/shop", change: set("spec.publishNotReadyAddresses", true)},
		},
		admitted: []attempt{
			{what: "how clients are spread", who: "dev", on: "services/shop", change: set("spec.sessionAffinity", "ClientIP")},
			{what: "by the operator", who: "operator", on: "services/shop", change: set("spec.publishNotReadyAddresses", true)},
		},
	}, {
		row:  "sec/13",
		says: " cannot change the labels countersign.dev/* or the annotation ",
		refused: []attempt{
			{what: "the label is stripped", who: "dev", on: "services/shop", change: label("countersign.dev/release", "")},
			{what: "the label is stripped through the status", who: "dev", on: "services/shop/status", change: label("countersign.dev/release", ""), not: []string{"server-side apply"}},
			{what: "another Release", who: "dev", on: "services/shop", change: label("countersign.dev/release", "other")},
			{what: "another role", who: "dev", on: "services/shop", change: label("countersign.dev/role", "preview")},
			{what: "that it may be deleted", who: "dev", on: "services/shop", change: label("countersign.dev/deletable", "true")},
			{what: "one more label of ours", who: "dev", on: "services/shop", change: label("countersign.dev/colour", "green")},
			{what: "another epoch", who: "dev", on: "services/shop", change: epoch("4")},
			{what: "no epoch", who: "dev", on: "services/shop", change: epoch("")},
			{what: "a Service of one's own is put under a Release", who: "dev", on: "services/foreign",
				change: all(label("countersign.dev/release", "shop"))},
		},
		admitted: []attempt{
			{what: "other labels", who: "dev", on: "services/shop", change: label("team", "")},
			{what: "other annotations", who: "dev", on: "services/shop", change: annotate("example.com/team", "shop")},
			{what: "the operator gives it back", who: "operator", on: "services/shop",
				change: all(label("countersign.dev/release", ""), label("countersign.dev/role", ""), epoch(""))},
		},
	}, {
		row:      "sec/19",
		says:     " cannot change the owners of Service ",
		refused:  []attempt{{what: "an owner that can be deleted", who: "dev", on: "services/shop", change: set("metadata.ownerReferences", owners)}},
		admitted: []attempt{{what: "of one's own Service", who: "dev", on: "services/foreign", change: set("metadata.ownerReferences", owners)}},
	}, {
		row:  "sec/21",
		says: " cannot delete Service ",
		refused: []attempt{
			{what: "a Service with traffic", who: "dev", on: "services/shop"},
			{what: "by an admin", who: "admin", on: "services/shop"},
		},
		admitted: []attempt{
			{what: "a preview", who: "dev", on: "services/preview"},
			{what: "one's own Service", who: "dev", on: "services/foreign"},
			{what: "what was approved without it", who: "dev", on: "services/leftover"},
			{what: "by the operator", who: "operator", on: "services/shop"},
			{what: "with its namespace", who: "namespace-controller", on: "services/shop"},
		},
	}}
}

func ports(port, target int64) []any {
	return []any{map[string]any{"name": "http", "port": port, "protocol": "TCP", "targetPort": target}}
}

// epochRules hold for the operator as well: a replica that lost its lease.
func epochRules() []rule {
	claim := all(label("countersign.dev/release", "shop"), label("countersign.dev/role", "active"))
	return []rule{{
		row:  "sec/63",
		says: " cannot change without a growing epoch ",
		refused: []attempt{
			{what: "the same epoch", who: "operator", on: "services/shop", change: leadTo("green")},
			{what: "a smaller epoch", who: "operator", on: "services/shop", change: all(leadTo("green"), epoch("2"))},
			{what: "no epoch", who: "operator", on: "services/shop", change: all(leadTo("green"), epoch(""))},
			{what: "no number", who: "operator", on: "services/shop", change: all(leadTo("green"), epoch("4x"))},
			{what: "negative", who: "operator", on: "services/shop", change: all(leadTo("green"), epoch("-4"))},
			{what: "together with giving it back", who: "operator", on: "services/shop",
				change: all(leadTo("green"), label("countersign.dev/release", ""), label("countersign.dev/role", ""), epoch(""))},
			{what: "a parked Service", who: "operator", on: "services/parked", change: leadTo("blue")},
			{what: "parked again", who: "operator", on: "services/shop", change: leadTo("none")},
		},
		admitted: []attempt{
			{what: "a larger epoch", who: "operator", on: "services/shop", change: all(leadTo("green"), epoch("4"))},
			{what: "a preview", who: "operator", on: "services/preview", change: leadTo("blue")},
			{what: "the first switch", who: "operator", on: "services/parked", change: all(leadTo("blue"), epoch("1"))},
		},
	}, {
		says:     " without the annotation countersign.dev/epoch",
		refused:  []attempt{{what: "claimed without", who: "operator", on: "services/foreign", change: claim}},
		admitted: []attempt{{what: "claimed with", who: "operator", on: "services/foreign", change: all(claim, epoch("0"))}},
	}, {
		says:    " and lead to a colour before the first switch",
		refused: []attempt{{what: "claimed and led", who: "operator", on: "services/foreign", change: all(claim, epoch("0"), leadTo("blue"))}},
		admitted: []attempt{
			{what: "claimed and parked", who: "operator", on: "services/foreign", change: all(claim, epoch("0"), leadTo("none"))},
			{what: "switched in the claim", who: "operator", on: "services/foreign", change: all(claim, epoch("1"), leadTo("blue"))},
		},
	}, {
		row:  "sec/63",
		says: ": it only grows; read Release ",
		refused: []attempt{
			{what: "smaller", who: "operator", on: "services/shop", change: epoch("2")},
			{what: "taken away", who: "operator", on: "services/shop", change: epoch("")},
			{what: "no number", who: "operator", on: "services/shop", change: epoch("four")},
		},
		admitted: []attempt{{what: "larger, as a fence", who: "operator", on: "services/shop", change: epoch("4")}},
	}, {
		says: " cannot pass from one Release or role to another",
		refused: []attempt{
			{what: "another Release", who: "operator", on: "services/shop", change: label("countersign.dev/release", "other")},
			{what: "another role", who: "operator", on: "services/shop", change: label("countersign.dev/role", "preview")},
		},
		admitted: []attempt{{what: "another label", who: "operator", on: "services/shop", change: label("team", "till")}},
	}}
}
