// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"testing"
)

func sliceText(name, service string) string {
	return fmt.Sprintf(`
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %s, labels: {kubernetes.io/service-name: %s}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1], conditions: {ready: true}}]
ports: [{name: http, port: 8080, protocol: TCP}]
`, name, service)
}

func endpointsText(name string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Endpoints
metadata: {name: %s}
subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{name: http, port: 8080, protocol: TCP}]}]
`, name)
}

// endpointsStage has Release shop, and slices of its Service, of its preview and
// of a Service that is nobody's. Service returned was given back by a Release.
func endpointsStage(t *testing.T) *stage {
	s := newStage(t)
	for _, name := range []string{"endpointslice-controller", "endpoint-controller", "endpointslicemirroring-controller", "namespace-controller"} {
		s.actors[name] = s.account(t, "system:serviceaccount:kube-system:"+name)
	}
	o := object(t, releaseText("shop"))
	all(stamp(email("dev")), set("spec.services", []any{
		map[string]any{"name": "shop"}, map[string]any{"name": "admin", "preview": "admin-next"}}))(o)
	s.put(t, "dev", o)
	s.alter(t, "operator", "releases/shop/status", all(promoted(digestOne), set("status.active.services", []any{map[string]any{"name": "dropped"}})))
	for name, service := range map[string]string{"shop-1": "shop", "shop-preview-1": "shop-preview", "foreign-1": "foreign"} {
		s.put(t, "endpointslice-controller", object(t, sliceText(name, service)))
	}
	s.put(t, "endpoint-controller", object(t, endpointsText("shop")))
	s.put(t, "dev", object(t, endpointsText("foreign")))
	returned := object(t, serviceText("returned", "active", "3", "blue"))
	s.put(t, "operator", returned)
	all(drop("metadata.labels"), drop("metadata.annotations"))(returned)
	s.put(t, "operator", returned)
	s.saysSoon(t, attempt{what: "a slice", who: "dev", create: sliceText("made", "dropped")}, "which carries the traffic of Release")
	return s
}

func endpointsRules() []rule {
	elsewhere := set("endpoints", []any{map[string]any{"addresses": []any{"192.0.2.1"}, "conditions": map[string]any{"ready": true}}})
	subsets := set("subsets", []any{map[string]any{"addresses": []any{map[string]any{"ip": "192.0.2.1"}},
		"ports": []any{map[string]any{"name": "http", "port": int64(8080), "protocol": "TCP"}}}})
	made := transform(serviceText("made", "", "", "green"), all(drop("metadata.labels"), drop("metadata.annotations")))
	return []rule{{
		policy: slicePolicy, row: "sec/18 D28",
		says: " which carries the traffic of Release ",
		refused: []attempt{
			{what: "one more slice of a Service", who: "dev", create: sliceText("made", "shop")},
			{what: "of another Service", who: "admin", create: sliceText("made", "admin")},
			{what: "of a preview", who: "dev", create: sliceText("made", "shop-preview")},
			{what: "of a preview with a name of its own", who: "dev", create: sliceText("made", "admin-next")},
			{what: "of a Service that the active content has besides", who: "dev", create: sliceText("made", "dropped")},
			{what: "mirrored from Endpoints", who: "endpointslicemirroring-controller", create: sliceText("made", "shop")},
			{what: "addresses elsewhere", who: "dev", on: "endpointslices/shop-1", change: elsewhere},
			{row: "sec/18 sec/13", what: "taken away from the Service", who: "dev", on: "endpointslices/shop-1", change: label("kubernetes.io/service-name", "")},
			{what: "a slice of another Service brought in", who: "dev", on: "endpointslices/foreign-1", change: label("kubernetes.io/service-name", "shop")},
			{what: "deleted", who: "dev", on: "endpointslices/shop-1"},
			{what: "by the operator", who: "operator", on: "endpointslices/shop-1", change: elsewhere},
			{row: "sec/19", what: "an owner that can be deleted", who: "dev", on: "endpointslices/shop-1", change: set("metadata.ownerReferences", owners)},
			{what: "Endpoints of a Service", who: "dev", on: "endpoints/shop", change: subsets},
			{what: "Endpoints of a Service made", who: "dev", create: endpointsText("admin"), not: []string{"create with generateName"}},
			{what: "Endpoints of a Service deleted", who: "dev", on: "endpoints/shop"},
		},
		admitted: []attempt{
			{what: "by the controller", who: "endpointslice-controller", on: "endpointslices/shop-1", change: elsewhere},
			{what: "made by the controller", who: "endpointslice-controller", create: sliceText("made", "shop")},
			{what: "deleted with its namespace", who: "namespace-controller", on: "endpointslices/shop-1"},
			{what: "a mirrored one is deleted", who: "endpointslicemirroring-controller", on: "endpointslices/shop-1"},
			{what: "of a Service of one's own", who: "dev", create: sliceText("made", "own")},
			{what: "Endpoints by their controller", who: "endpoint-controller", on: "endpoints/shop", change: subsets},
			{what: "Endpoints of a Service of one's own", who: "dev", on: "endpoints/foreign", change: subsets},
			{what: "of a Service whose preview would be called otherwise", who: "dev", create: sliceText("made", "admin-preview")},
			{what: "changed, of a Service of one's own", who: "dev", on: "endpointslices/foreign-1", change: elsewhere},
		},
	}, {
		policy: selectorPolicy, row: "sec/18",
		says: " cannot select the Pods of a Release ",
		refused: []attempt{
			{what: "a Service that leads to a candidate", who: "dev", create: made},
			{what: "by an admin", who: "admin", create: made},
			{what: "a Service that was given back leads elsewhere", who: "dev", on: "services/returned", change: leadTo("green")},
		},
		admitted: []attempt{
			{what: "other labels", who: "dev", create: transform(made, set("spec.selector", map[string]any{"app": "own"}))},
			{what: "a Service that was given back is changed", who: "dev", on: "services/returned", change: label("team", "shop")},
			{what: "a Service that was given back leads to something else", who: "dev", on: "services/returned", change: set("spec.selector", map[string]any{"app": "own"})},
		},
	}}
}

func TestEndpointsPolicy(t *testing.T) {
	s := endpointsStage(t)
	for _, r := range endpointsRules() {
		t.Run(r.says, func(t *testing.T) { s.run(t, r) })
	}
}
