// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// forbidden is how the API server says whom RBAC lets not do what they asked for.
var forbidden = regexp.MustCompile(`User "([^"]+)" cannot`)

// roleFor is the role that holds the right to do something with a resource.
func roleFor(verb, resource string) string {
	switch {
	case resource == "releases" && verb == "patch":
		return "release-approver"
	case resource == "releases" || resource == "approvalpolicies":
		return "release-viewer"
	}
	return "view"
}

// told turns what the API server answered to a request into what is wrong and what
// to do about it.
func (s *Session) told(err error, verb, resource string) error {
	message := ""
	if err != nil {
		message = err.Error()
	}
	switch {
	case err == nil:
		return nil
	case uninstalled(err):
		return errors.New("this cluster does not know Releases: Countersign is not installed on it, or it is not the cluster that you mean; install it: kubectl apply --server-side -k config/default; see which clusters there are: kubectl config get-contexts")
	case apierrors.IsUnauthorized(err) || strings.Contains(message, "getting credentials"):
		return fmt.Errorf("the API server does not know you: your login has expired, or is for another cluster; log in again as you usually do, see who you are: kubectl auth whoami; then run this again (%w)", err)
	case apierrors.IsForbidden(err) && denied(message):
		return err
	case apierrors.IsForbidden(err):
		role, user := roleFor(verb, resource), "YOU"
		if found := forbidden.FindStringSubmatch(message); found != nil {
			user = found[1]
		}
		return fmt.Errorf("you may not %s %s in namespace %s; ask for ClusterRole %s there, and whoever may give it runs: kubectl create rolebinding %s-%s -n %s --clusterrole=%s --user=%s (%w)",
			verb, resource, s.Namespace, role, strings.ToLower(approval.Slot(user, func(string) bool { return false })), role, s.Namespace, role, user, err)
	case strings.Contains(message, "failed calling webhook"):
		return fmt.Errorf("the webhook does not answer, so that no Release can be written; the operator goes back by itself all the same; look at it: kubectl get deployments -n countersign-system; to let a request to go back through without it: kubectl delete mutatingwebhookconfiguration countersign, and when it is over, apply it again (%w)", err)
	case apierrors.IsConflict(err):
		return fmt.Errorf("somebody else wrote it at the same time; run this again (%w)", err)
	}
	if status := apierrors.APIStatus(nil); !errors.As(err, &status) {
		return fmt.Errorf("the API server could not be asked; see whether it answers: kubectl cluster-info (%w)", err)
	}
	return err
}

// denied tells whether admission refused it: it has said what to do.
func denied(message string) bool {
	return strings.Contains(message, "denied the request") || strings.Contains(message, "denied request")
}

// uninstalled tells whether the API server does not know the resource at all.
func uninstalled(err error) bool {
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) && strings.Contains(err.Error(), "the server could not find the requested resource")
}

// missing says which Releases there are when one is not.
func (s *Session) missing(ctx context.Context, name string) error {
	var list v1alpha1.ReleaseList
	if err := s.Client.List(ctx, &list, client.InNamespace(s.Namespace)); err != nil || len(list.Items) == 0 {
		return fmt.Errorf("there is no Release %s in namespace %s, nor any other that you may list there; look in the others: kubectl get releases -A", name, s.Namespace)
	}
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return fmt.Errorf("there is no Release %s in namespace %s, which has %s; look in the others: kubectl get releases -A", name, s.Namespace, few(names))
}

// few of the names, and how many more there are.
func few(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
