// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type fieldsOf = map[string]any

// asking is a check that asks in one way.
func asking(how string, more fieldsOf) fieldsOf {
	c := fieldsOf{}
	if how != "prometheus" {
		c["port"] = int64(80)
	}
	for k, v := range more {
		c[k] = v
	}
	return fieldsOf{"name": "smoke", how: c}
}

func authority(more fieldsOf) fieldsOf {
	c := fieldsOf{"kind": "Secret", "name": "ca"}
	for k, v := range more {
		c[k] = v
	}
	return c
}

// metric is what a PrometheusCheck says. It has no port.
func metric(more fieldsOf) fieldsOf {
	m := fieldsOf{"address": "http://prometheus.monitoring.svc:9090", "query": "up", "success": fieldsOf{"operator": "AtLeast", "value": "1"}}
	for k, v := range more {
		m[k] = v
	}
	return m
}

// running is a check that is a Job. It has no port.
func running(more fieldsOf) fieldsOf {
	j := fieldsOf{"template": fieldsOf{"spec": fieldsOf{"containers": []any{fieldsOf{"name": "test", "image": "registry/test:v1"}}}}}
	for k, v := range more {
		j[k] = v
	}
	return fieldsOf{"name": "e2e", "job": j}
}

const (
	clusterOnly = "address is that of a Service in the cluster: write http://<service>.<namespace>.svc:<port>"
	withHTTPS   = "tls goes with an address that begins with https: add tls, or write http"
	oneWay      = "a check asks in one way: write exactly one of http, tcp, grpc, prometheus and job"
	verified    = "say how the certificate is verified: write either ca, or insecureSkipVerify: true to accept any certificate"
	named       = "ca goes with serverName: write the name that the certificate is for, because the address that is asked is seldom in it"
	ownHeader   = "this header is about the connection and is set by the check itself: leave it out"
)

// badCheck is a check that a rule refuses, wherever checks are.
type badCheck struct {
	what  string
	check fieldsOf
	says  string
}

func tlsRules(how string, more fieldsOf) (bad []badCheck) {
	with := func(tls fieldsOf) fieldsOf {
		c := asking(how, more)
		c[how].(fieldsOf)["tls"] = tls
		return c
	}
	return []badCheck{
		{how + " with TLS that verifies nothing", with(fieldsOf{}), verified},
		{how + " with TLS that verifies both ways", with(fieldsOf{"ca": authority(nil), "serverName": "a", "insecureSkipVerify": true}), verified},
		{how + " with TLS that only says that it verifies", with(fieldsOf{"insecureSkipVerify": false}), verified},
		{how + " with TLS without a name", with(fieldsOf{"ca": authority(nil)}), named},
	}
}

// ruledOut are cases of every rule about checks.
func ruledOut() []badCheck {
	bad := []badCheck{
		{"one that asks nothing", fieldsOf{"name": "smoke"}, oneWay},
		{"one that asks in two ways", fieldsOf{"name": "smoke", "http": fieldsOf{"port": int64(80)}, "tcp": fieldsOf{"port": int64(80)}}, oneWay},
		{"a timeout longer than the period", fieldsOf{"name": "smoke", "tcp": fieldsOf{"port": int64(80)}, "periodSeconds": int64(1), "timeoutSeconds": int64(2)}, "timeoutSeconds must not be longer than periodSeconds"},
		{"a body with GET", asking("http", fieldsOf{"body": "x"}), "a body goes with method POST, PUT or PATCH: set method, or leave body out"},
		{"a body with DELETE", asking("http", fieldsOf{"method": "DELETE", "body": "x"}), "a body goes with method POST, PUT or PATCH: set method, or leave body out"},
		{"HEAD with a body to contain", asking("http", fieldsOf{"method": "HEAD", "bodyContains": "x"}), "the answer to HEAD has no body: write method GET, or leave bodyContains and bodyMatches out"},
		{"HEAD with a body to match", asking("http", fieldsOf{"method": "HEAD", "bodyMatches": "x"}), "the answer to HEAD has no body: write method GET, or leave bodyContains and bodyMatches out"},
		{"a range that begins with the larger", asking("http", fieldsOf{"statuses": []any{"299-200"}}), "a range of statuses begins with the smaller one, for example 200-299"},
		{"a header of the connection", asking("http", fieldsOf{"headers": []any{fieldsOf{"name": "Transfer-Encoding", "value": "chunked"}}}), ownHeader},
	}
	bad = append(append(bad, tlsRules("http", nil)...), tlsRules("grpc", nil)...)
	bad = append(bad, tlsRules("prometheus", metric(fieldsOf{"address": "https://prometheus.monitoring.svc"}))...)
	for _, address := range []string{
		"prometheus.monitoring.svc:9090", "http://prometheus:9090", "http://169.254.169.254/latest", "http://prometheus.monitoring:9090",
		"http://user:password@prometheus.monitoring.svc", "ftp://prometheus.monitoring.svc", "http://prometheus.monitoring.svc:0", "http://a.b.svc/x?y=z", "http://metadata.google.internal",
	} {
		bad = append(bad, badCheck{"the address " + address, asking("prometheus", metric(fieldsOf{"address": address})), clusterOnly})
	}
	return append(bad,
		badCheck{"TLS with http", asking("prometheus", metric(fieldsOf{"tls": fieldsOf{"insecureSkipVerify": true}})), withHTTPS},
		badCheck{"https without TLS", asking("prometheus", metric(fieldsOf{"address": "https://prometheus.monitoring.svc"})), withHTTPS},
	)
}

// checkCases are refused wherever checks are in the spec.
func checkCases() (cases []schemaCase) {
	for _, stage := range []string{"beforeSwitch", "afterSwitch"} {
		for _, b := range ruledOut() {
			cases = append(cases, schemaCase{b.what + ", " + stage, checks(stage, b.check), b.says})
		}
	}
	one := func(what string, c fieldsOf, says string) {
		cases = append(cases, schemaCase{what, checks("beforeSwitch", c), says})
	}
	http := func(what, field string, value any, says string) {
		one(what, asking("http", fieldsOf{field: value}), says)
	}
	header := func(name, value string) []any { return []any{fieldsOf{"name": name, "value": value}} }
	http("a method that there is not", "method", "FETCH", "http.method: Unsupported value")
	http("a header with a line break", "headers", header("X-A", "a\nb"), "http.headers[0].value")
	http("a header's name with a colon", "headers", header("X:A", "a"), "http.headers[0].name")
	http("too many headers", "headers", many(17, fieldsOf{"name": "a", "value": "b"}), "must have at most 16 items")
	http("too long a body", "body", strings.Repeat("x", 8193), "http.body")
	http("a status that there is not", "statuses", []any{"600"}, "http.statuses[0]")
	http("a status that is a class", "statuses", []any{"2xx"}, "http.statuses[0]")
	http("a status twice", "statuses", []any{"200", "200"}, "Duplicate value")
	http("too long a text", "bodyContains", strings.Repeat("x", 1025), "http.bodyContains")
	http("a server's name that is none", "tls", fieldsOf{"ca": authority(nil), "serverName": "a b"}, "http.tls.serverName")
	http("a CA of another kind", "tls", fieldsOf{"ca": authority(fieldsOf{"kind": "Pod"}), "serverName": "a"}, "http.tls.ca.kind: Unsupported value")
	http("a CA's key that is a path", "tls", fieldsOf{"ca": authority(fieldsOf{"key": "../x"}), "serverName": "a"}, "http.tls.ca.key")
	one("a gRPC service with a space", asking("grpc", fieldsOf{"service": "a b"}), "grpc.service")
	success := func(what, operator, value, says string) {
		one(what, asking("prometheus", metric(fieldsOf{"success": fieldsOf{"operator": operator, "value": value}})), says)
	}
	success("an operator that there is not", "<", "1", "success.operator: Unsupported value")
	success("a value with a unit", "LessThan", "1s", "success.value")
	success("a value that is no number", "LessThan", "NaN", "success.value")
	one("no query", asking("prometheus", metric(fieldsOf{"query": ""})), "prometheus.query")
	one("too long a query", asking("prometheus", metric(fieldsOf{"query": strings.Repeat("x", 2049)})), "prometheus.query")
	one("a query without success", fieldsOf{"name": "smoke", "prometheus": fieldsOf{"address": "http://a.b.svc", "query": "up"}}, "success: Required value")
	one("grpc without a port", fieldsOf{"name": "smoke", "grpc": fieldsOf{"service": "a"}}, "grpc.port: Required value")
	one("tcp without a port", fieldsOf{"name": "smoke", "tcp": fieldsOf{}}, "tcp.port: Required value")
	for field, value := range map[string]int64{"timeoutSeconds": 4, "backoffLimit": 11, "ttlSecondsAfterFinished": 59} {
		one("a job with "+field+" out of bounds", running(fieldsOf{field: value}), "job."+field)
	}
	one("a job without a template", fieldsOf{"name": "e2e", "job": fieldsOf{"backoffLimit": int64(1)}}, "job.template: Required value")
	one("a job with a template that is no object", running(fieldsOf{"template": "x"}), "job.template")
	cases = append(cases, schemaCase{"a job, afterSwitch", checks("afterSwitch", running(nil)), "a job runs once and cannot watch what serves: write it under beforeSwitch, or ask with http, tcp, grpc or prometheus"})
	one("too late a first run", fieldsOf{"name": "smoke", "tcp": fieldsOf{"port": int64(80)}, "initialDelaySeconds": int64(3601)}, "initialDelaySeconds")
	return cases
}

// keptCheckCases are refused wherever the status keeps checks.
func keptCheckCases(path string) (cases []schemaCase) {
	for _, b := range ruledOut() {
		cases = append(cases, schemaCase{path + " with " + b.what, set(path+".afterSwitch", []any{b.check}), path + ".afterSwitch[0]"})
	}
	return cases
}

// goodChecks are admitted.
func goodChecks() map[string]func(*unstructured.Unstructured) {
	good := map[string]func(*unstructured.Unstructured){}
	for what, c := range map[string]fieldsOf{
		"tcp":              asking("tcp", nil),
		"a named tcp port": asking("tcp", fieldsOf{"port": "http"}),
		"all of http": asking("http", fieldsOf{
			"method": "POST", "body": "{}", "headers": []any{fieldsOf{"name": "Host", "value": "shop.example"}, fieldsOf{"name": "X-A", "value": ""}},
			"statuses": []any{"200", "201-299"}, "bodyContains": "UP", "bodyMatches": "^.*UP.*$", "path": "/a?b=c",
			"tls": fieldsOf{"serverName": "shop.internal", "ca": authority(fieldsOf{"key": "tls.crt"})},
		}),
		"grpc":        asking("grpc", nil),
		"all of grpc": asking("grpc", fieldsOf{"service": "shop.v1.Shop", "tls": fieldsOf{"serverName": "shop.internal", "ca": authority(nil)}}),
		"prometheus":  asking("prometheus", metric(nil)),
		"all of prometheus": asking("prometheus", metric(fieldsOf{
			"address": "https://thanos-query.monitoring.svc.cluster.local:10902/prefix", "query": `sum(rate(errors{pod=~"${pods}"}[1m]))`,
			"success": fieldsOf{"operator": "LessThan", "value": "-0.01"}, "tls": fieldsOf{"insecureSkipVerify": true},
		})),
		"job":             running(nil),
		"all of job":      running(fieldsOf{"timeoutSeconds": int64(86400), "backoffLimit": int64(10), "ttlSecondsAfterFinished": int64(604800)}),
		"HEAD":            asking("http", fieldsOf{"method": "HEAD"}),
		"any certificate": asking("http", fieldsOf{"tls": fieldsOf{"insecureSkipVerify": true}}),
		"all of the times": {"name": "smoke", "tcp": fieldsOf{"port": int64(80)}, "initialDelaySeconds": int64(1), "periodSeconds": int64(3600),
			"timeoutSeconds": int64(300), "successThreshold": int64(2), "failureThreshold": int64(100)},
	} {
		good["a check: "+what] = checks("beforeSwitch", c)
	}
	return good
}
