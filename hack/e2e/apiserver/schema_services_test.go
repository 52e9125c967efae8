// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	portNames  = "of several services[].ports each needs a name that no other has: set services[].ports[].name"
	portTarget = "services[].ports[].targetPort is a number from 1 to 65535, or the name of a container port"
)

// port is one of a Service that the operator makes.
func port(number int, more fieldsOf) fieldsOf {
	p := fieldsOf{"port": int64(number)}
	for k, v := range more {
		p[k] = v
	}
	return p
}

// portsAre is a Service with ports.
func portsAre(list ...any) func(*unstructured.Unstructured) {
	return servicesAre(fieldsOf{"name": "shop", "ports": append([]any{}, list...)})
}

func goodPorts() map[string]func(*unstructured.Unstructured) {
	numbered := make([]any, 16)
	for i := range numbered {
		numbered[i] = port(i+1, fieldsOf{"name": strings.Repeat("n", i+1)})
	}
	return map[string]func(*unstructured.Unstructured){
		"one port":              portsAre(port(80, nil)),
		"all of a port":         portsAre(port(65535, fieldsOf{"name": "https", "targetPort": "tls", "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"})),
		"a target by number":    portsAre(port(80, fieldsOf{"targetPort": int64(65535)})),
		"a number twice":        portsAre(port(53, fieldsOf{"name": "dns"}), port(53, fieldsOf{"name": "dns-udp", "protocol": "UDP"})),
		"as many ports as fit":  portsAre(numbered...),
		"a protocol of its own": portsAre(port(80, fieldsOf{"appProtocol": "https"})),
	}
}

func portCases() []schemaCase {
	one := func(field string, value any) func(*unstructured.Unstructured) {
		return portsAre(port(80, fieldsOf{field: value}))
	}
	tooMany := make([]any, 17)
	for i := range tooMany {
		tooMany[i] = port(i+1, fieldsOf{"name": strings.Repeat("n", i+1)})
	}
	return []schemaCase{
		{"no ports", portsAre(), "spec.services[0].ports"},
		{"too many ports", portsAre(tooMany...), "must have at most 16 items"},
		{"a port without a number", portsAre(fieldsOf{"name": "http"}), "spec.services[0].ports[0].port: Required value"},
		{"port 0", portsAre(port(0, nil)), "spec.services[0].ports[0].port"},
		{"port 65536", portsAre(port(65536, nil)), "spec.services[0].ports[0].port"},
		{"a port twice", portsAre(port(80, fieldsOf{"name": "a"}), port(80, fieldsOf{"name": "b"})), "Duplicate value"},
		{"a port's name that is none", one("name", "A_b"), "spec.services[0].ports[0].name"},
		{"a port's name twice", portsAre(port(80, fieldsOf{"name": "a"}), port(81, fieldsOf{"name": "a"})), portNames},
		{"ports without names", portsAre(port(80, nil), port(81, nil)), portNames},
		{"one port without a name", portsAre(port(80, fieldsOf{"name": "a"}), port(81, nil)), portNames},
		{"target 0", one("targetPort", int64(0)), portTarget},
		{"target 65536", one("targetPort", int64(65536)), portTarget},
		{"a target in digits", one("targetPort", "8080"), "spec.services[0].ports[0].targetPort"},
		{"a target with two hyphens", one("targetPort", "a--b"), "spec.services[0].ports[0].targetPort"},
		{"too long a target", one("targetPort", strings.Repeat("x", 16)), "spec.services[0].ports[0].targetPort"},
		{"an unknown protocol", one("protocol", "ICMP"), "spec.services[0].ports[0].protocol"},
		{"an application protocol that is none", one("appProtocol", "a b"), "spec.services[0].ports[0].appProtocol"},
		{"an application protocol with a prefix that is none", one("appProtocol", "a..b/c"), "spec.services[0].ports[0].appProtocol"},
		{"a node port", one("nodePort", int64(30080)), `unknown field "spec.services[0].ports[0].nodePort"`},
	}
}

// keptPortCases are those of content that was let through.
func keptPortCases(path string) []schemaCase {
	kept := func(list ...any) func(*unstructured.Unstructured) { return first(path+".services", "ports", list) }
	return []schemaCase{
		{path + " with ports without names", kept(port(80, nil), port(81, nil)), path + ".services[0]: Invalid value"},
		{path + " with a target that is none", kept(port(80, fieldsOf{"targetPort": int64(0)})), path + ".services[0].ports[0]: Invalid value"},
	}
}
