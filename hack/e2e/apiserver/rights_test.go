// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
)

// rights are all that the accounts of an install may do, as "where: verbs
// resource [names]". Whoever adds one has to say so here.
var rights = map[string][]string{
	"countersign-webhook": {
		"cluster: create authentication.k8s.io/tokenreviews",
		"cluster: create authorization.k8s.io/subjectaccessreviews",
		"cluster: get,list,watch countersign.dev/approvalpolicies",
		"cluster: get admissionregistration.k8s.io/mutatingwebhookconfigurations [countersign]",
		"cluster: get /namespaces [kube-system]",
		"countersign-system: get /configmaps [countersign-trusted-keys]",
		"countersign-system: get /secrets [countersign-signing-key-a countersign-signing-key-b countersign-webhook-certificate]",
	},
	"countersign-probe": {
		"countersign-probe: create /configmaps",
		"countersign-probe: create /pods",
		"countersign-probe: create /services",
		"countersign-probe: create apps/deployments",
		"countersign-probe: create batch/jobs",
		"countersign-probe: create discovery.k8s.io/endpointslices",
		"countersign-probe: create,patch countersign.dev/releases",
		"countersign-probe: patch apps/deployments/scale",
		"countersign-probe: patch countersign.dev/releases/status",
	},
	"countersign-operator": {
		"cluster: create authentication.k8s.io/tokenreviews",
		"cluster: create authorization.k8s.io/subjectaccessreviews",
		"cluster: create,delete,get,list,patch,watch /configmaps",
		"cluster: create,delete,get,list,patch,watch /secrets",
		"cluster: create,delete,get,list,patch,watch /services",
		"cluster: create,delete,get,list,patch,watch apps/deployments",
		"cluster: create,delete,get,list,watch apps/controllerrevisions",
		"cluster: create,delete,get,list,patch,watch policy/poddisruptionbudgets",
		"cluster: create,delete,get,list,watch batch/jobs",
		"cluster: create,patch events.k8s.io/events",
		"cluster: get /namespaces [kube-system]",
		"cluster: get,list,patch,watch countersign.dev/releases",
		"cluster: get,list,watch /pods",
		"cluster: get,list,watch admissionregistration.k8s.io/mutatingwebhookconfigurations",
		"cluster: get,list,watch admissionregistration.k8s.io/validatingadmissionpolicies",
		"cluster: get,list,watch admissionregistration.k8s.io/validatingadmissionpolicybindings",
		"cluster: get,list,watch countersign.dev/approvalpolicies",
		"cluster: get,list,watch discovery.k8s.io/endpointslices",
		"cluster: get,patch admissionregistration.k8s.io/mutatingwebhookconfigurations [countersign]",
		"cluster: patch,update countersign.dev/releases/status",
		"cluster: update countersign.dev/releases/finalizers",
		"countersign-probe: create countersign.dev/releases",
		"countersign-probe: impersonate /serviceaccounts [countersign-probe]",
		"countersign-system: create /configmaps",
		"countersign-system: create /secrets",
		"countersign-system: create coordination.k8s.io/leases",
		"countersign-system: create,patch /events",
		"countersign-system: delete,get /secrets [countersign-signing-key-a countersign-signing-key-b]",
		"countersign-system: get,patch,update coordination.k8s.io/leases [countersign-operator]",
		"countersign-system: get,update /configmaps [countersign-trusted-keys]",
		"countersign-system: get,update /secrets [countersign-webhook-certificate]",
	},
}

// TestRights compares the roles in config/rbac with that list.
func TestRights(t *testing.T) {
	roles, given := map[string][]rbacv1.PolicyRule{}, map[string][]string{}
	for _, o := range manifests(t, "rbac") {
		switch o.GetKind() {
		case "ClusterRole", "Role":
			var role rbacv1.Role
			into(t, o.Object, &role)
			roles[o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName()] = role.Rules
		}
	}
	for _, o := range manifests(t, "rbac") {
		if o.GetKind() != "ClusterRoleBinding" && o.GetKind() != "RoleBinding" {
			continue
		}
		var binding rbacv1.RoleBinding
		into(t, o.Object, &binding)
		where := binding.Namespace
		if where == "" {
			where = "cluster"
		}
		rules, known := roles[binding.RoleRef.Kind+" "+binding.Namespace+"/"+binding.RoleRef.Name]
		if !known {
			t.Errorf("%s binds what is not in config/rbac", o.GetName())
		}
		for _, s := range binding.Subjects {
			given[s.Name] = append(given[s.Name], describe(where, rules)...)
		}
	}
	for account, want := range rights {
		got := given[account]
		slices.Sort(got)
		want = slices.Sorted(slices.Values(want))
		if !slices.Equal(got, want) {
			t.Errorf("%s may\n  %s\nand here is written\n  %s", account, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		}
		delete(given, account)
	}
	for account := range given {
		t.Errorf("%s is bound to a role, and is not in the list", account)
	}
}

func into(t *testing.T, o map[string]any, typed any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o, typed); err != nil {
		t.Fatal(err)
	}
}

func describe(where string, rules []rbacv1.PolicyRule) (all []string) {
	for _, r := range rules {
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				line := where + ": " + strings.Join(slices.Sorted(slices.Values(r.Verbs)), ",") + " " + group + "/" + resource
				if len(r.ResourceNames) > 0 {
					line += fmt.Sprint(" ", slices.Sorted(slices.Values(r.ResourceNames)))
				}
				all = append(all, line)
			}
		}
	}
	return all
}

// TestNobodyReachesTheKeys: not who may edit a namespace, and not the webhook
// beyond reading its own.
func TestNobodyReachesTheKeys(t *testing.T) {
	s := openShop(t)
	client, err := kubernetes.NewForConfig(s.admin.config)
	if err != nil {
		t.Fatal(err)
	}
	bot := "system:serviceaccount:" + s.namespace + ":bot"
	webhook := "system:serviceaccount:" + systemNamespace + ":" + webhookAccount
	for _, row := range []struct {
		user, namespace, verb, group, resource, subresource, name string
		allowed                                                   bool
	}{
		{bot, s.namespace, "get", "", "secrets", "", "any", true}, // or the rows show nothing
		{bot, systemNamespace, "get", "", "secrets", "", "countersign-signing-key-a", false},
		{bot, systemNamespace, "update", "", "configmaps", "", "countersign-trusted-keys", false},
		{bot, systemNamespace, "update", "coordination.k8s.io", "leases", "", "countersign-operator", false},
		{bot, systemNamespace, "create", "", "pods", "", "", false},
		{bot, systemNamespace, "create", "", "serviceaccounts", "token", operatorAccount, false},
		{bot, systemNamespace, "impersonate", "", "serviceaccounts", "", operatorAccount, false},
		{bot, "countersign-probe", "create", "", "serviceaccounts", "token", "countersign-probe", false},
		{bot, "countersign-probe", "impersonate", "", "serviceaccounts", "", "countersign-probe", false},
		{webhook, systemNamespace, "get", "", "secrets", "", "countersign-signing-key-a", true},
		{webhook, systemNamespace, "get", "", "secrets", "", "other", false},
		{webhook, systemNamespace, "list", "", "secrets", "", "", false},
		{webhook, systemNamespace, "update", "", "secrets", "", "countersign-signing-key-a", false},
		{webhook, systemNamespace, "update", "", "configmaps", "", "countersign-trusted-keys", false},
		{webhook, systemNamespace, "patch", "", "configmaps", "", "countersign-trusted-keys", false},
		{webhook, "", "patch", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", "countersign", false},
		{webhook, s.namespace, "patch", "countersign.dev", "releases", "", shopName, false},
		{webhook, s.namespace, "patch", "countersign.dev", "releases", "status", shopName, false},
		{webhook, s.namespace, "patch", "", "services", "", shopName, false},
		{operatorUser, s.namespace, "impersonate", "", "serviceaccounts", "", "bot", false},
		{operatorUser, "", "impersonate", "", "users", "", email("alice"), false},
		{operatorUser, "", "update", "admissionregistration.k8s.io", "validatingadmissionpolicies", "", "release-votes.countersign.dev", false},
	} {
		name := fmt.Sprintf("sec/41 %s %s %s/%s %s in %s", row.user, row.verb, row.resource, row.subresource, row.name, row.namespace)
		t.Run(name, func(t *testing.T) {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: row.user, Groups: []string{"system:serviceaccounts", "system:authenticated"},
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: row.namespace, Verb: row.verb, Group: row.group, Resource: row.resource, Subresource: row.subresource, Name: row.name,
				},
			}}
			got, err := client.AuthorizationV1().SubjectAccessReviews().Create(within(t), review, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got.Status.Allowed != row.allowed {
				t.Errorf("allowed %t: %s", got.Status.Allowed, got.Status.Reason)
			}
		})
	}
}
