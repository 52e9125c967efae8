// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/countersign/countersign/hack/cluster/identity"
)

// grantRights gives people what a team gives them before Countersign is there:
// developers edit, everybody else looks, and one developer may impersonate, to
// show that `kubectl --as` buys nothing at the gate.
func (c *ControlPlane) grantRights(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	err = ignoreExists(client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "local:impersonator"},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"users", "groups"}, Verbs: []string{"impersonate"},
		}},
	}, metav1.CreateOptions{}))
	if err != nil {
		return err
	}
	viewers := []string{"qa", "security", "product", "sre-oncall"}
	for _, b := range []*rbacv1.ClusterRoleBinding{
		binding("local:developers", "edit", rbacv1.GroupKind, "developers"),
		binding("local:viewers", "view", rbacv1.GroupKind, viewers...),
		// The parts that edit and view are put together from: without a
		// controller manager nobody does that, and the two stay empty.
		binding("local:developers-edit", "system:aggregate-to-edit", rbacv1.GroupKind, "developers"),
		binding("local:developers-view", "system:aggregate-to-view", rbacv1.GroupKind, "developers"),
		binding("local:viewers-view", "system:aggregate-to-view", rbacv1.GroupKind, viewers...),
		binding("local:impersonators", "local:impersonator", rbacv1.UserKind, "mallory@example.com"),
	} {
		if err := ignoreExists(client.RbacV1().ClusterRoleBindings().Create(ctx, b, metav1.CreateOptions{})); err != nil {
			return err
		}
	}
	return nil
}

func binding(name, role, kind string, subjects ...string) *rbacv1.ClusterRoleBinding {
	b := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
	}
	for _, s := range subjects {
		b.Subjects = append(b.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: kind, Name: s})
	}
	return b
}

func ignoreExists[T any](_ T, err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// ServiceAccountToken asks the API server for a new token of a ServiceAccount.
func ServiceAccountToken(ctx context.Context, cfg *rest.Config, namespace, name string) (string, error) {
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return "", err
	}
	seconds := int64(identity.TokenLife.Seconds())
	got, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("token of ServiceAccount %s/%s: %w", namespace, name, err)
	}
	return got.Status.Token, nil
}

// AddContext adds, or replaces, a context with a bearer token in a kubeconfig of
// this package's making.
func AddContext(kubeconfig, name, token string) error {
	cfg, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return err
	}
	identity.AddToken(cfg, name, token)
	return identity.WriteKubeconfig(cfg, kubeconfig)
}

// configFor reads one context of a kubeconfig.
func configFor(kubeconfig, context string) (*rest.Config, error) {
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig},
		&clientcmd.ConfigOverrides{CurrentContext: context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("context %q of %s: %w", context, kubeconfig, err)
	}
	cfg.QPS = -1
	return cfg, nil
}
