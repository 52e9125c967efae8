// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package identity

// Person is somebody with credentials of their own.
type Person struct {
	Name   string // of the kubeconfig context
	Email  string // the username that the API server sees
	Groups []string
}

// People are those of the examples, the tests and the demo.
func People() []Person {
	person := func(name, group string) Person {
		return Person{Name: name, Email: name + "@example.com", Groups: []string{group}}
	}
	return []Person{
		person("dev", "developers"),
		person("dana", "developers"),
		person("mallory", "developers"),
		person("alice", "qa"),
		person("bob", "security"),
		person("carol", "product"),
		person("erin", "sre-oncall"),
	}
}

// Admin is the context of whoever started the cluster.
const Admin = "admin"
