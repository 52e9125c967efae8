// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/hack/cluster/identity"
	"github.com/countersign/countersign/hack/cluster/image"
	"github.com/countersign/countersign/hack/cluster/load"
	"github.com/countersign/countersign/hack/cluster/local"
	"github.com/countersign/countersign/hack/e2e/operator"
	"github.com/spf13/cobra"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// previous is the revision of this repository whose chart and image are upgraded
// from while no version of it has a tag: the first that had a chart.
const previous = "0ae1f50819daaf662fea16b134d6693d4de83dd0"

const (
	previousTag = "previous"
	currentTag  = "current"
)

func demoInstallCommand() *cobra.Command {
	var keep bool
	var name, from string
	cmd := &cobra.Command{
		Use: "demo-install", Args: cobra.NoArgs,
		Short: "Install by Helm, upgrade under load, kill the leader in the midst of a switch, and uninstall, on a cluster of its own",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if local.BestForm() != local.Real {
				return errNotReal
			}
			return onEmptyCluster(cmd.Context(), name, keep, func(ctx context.Context, c *local.Cluster) error {
				return tellInstall(ctx, c, from)
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "install", "name of the cluster; one that runs by that name is removed first")
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the cluster running at the end")
	cmd.Flags().StringVar(&from, "from", previous, "revision of this repository whose chart and image are installed first")
	return cmd
}

// installation is the story of the operator itself, with that of three releases
// in it.
type installation struct {
	*demo
	helm string
	// from and to are charts.
	from, to string

	votesKept, podsKept bool
	// takenOver is how long nobody finished what the killed leader had begun.
	takenOver time.Duration
	history   []v1alpha1.HistoryEntry
	left      []string
}

func tellInstall(ctx context.Context, c *local.Cluster, from string) error {
	dir, err := os.MkdirTemp("", "countersign-install-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	i := &installation{}
	if err := i.prepare(ctx, c, dir, from); err != nil {
		return err
	}
	if i.demo, err = newDemo(ctx, c); err != nil {
		return err
	}
	switches, err := i.WatchSwitches("shop")
	if err != nil {
		return err
	}
	i.install(ctx)
	i.firstRelease()
	sum, err := i.underLoad(ctx, func() {
		rel := i.waitsForOneMore()
		i.upgrade(ctx, rel)
		i.killLeader(ctx, rel)
		i.thirdRelease(ctx)
		i.uninstallAndBack(ctx)
		i.leave(ctx)
	})
	if err := errors.Join(i.Err(), err); err != nil {
		return fmt.Errorf("%w\n%s", err, operator.Output(ctx, c, i.root, "logs", "deployment/"+operator.Account, "-n", operator.Namespace, "--tail=20"))
	}
	return i.conclude(sum, switches.Seen())
}

// prepare builds Helm, two images and two charts, and gives the images to the node.
func (i *installation) prepare(ctx context.Context, c *local.Cluster, dir, from string) error {
	root, err := operator.Root()
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "building Helm")
	if i.helm, err = operator.BuildHelm(ctx, root, dir); err != nil {
		return err
	}
	tree := filepath.Join(dir, previousTag)
	if err := operator.Export(ctx, root, from, tree); err != nil {
		return fmt.Errorf("%w; fetch the whole history, or name another revision by --from", err)
	}
	i.from = filepath.Join(tree, "charts", "countersign")
	fmt.Fprintln(os.Stderr, "building the image of", from)
	archive := filepath.Join(dir, "previous.tar")
	if err := local.BuildImage(ctx, tree, ".", archive, image.Image{Ref: tagged(previousTag)}); err != nil {
		return err
	}
	if err := c.Import(ctx, archive); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "building the image of this checkout, as make image does, and its chart")
	if i.to, err = operator.Package(ctx, root, dir, tagged(currentTag)); err != nil {
		return err
	}
	return c.Import(ctx, filepath.Join(dir, "countersign-image.tar"))
}

// tagged is the operator's image with another tag.
func tagged(tag string) string {
	name, _, _ := strings.Cut(operator.Image, ":")
	return name + ":" + tag
}

func (i *installation) install(ctx context.Context) {
	i.Chapter("The platform team installs the previous version by Helm")
	i.Do(identity.Admin, "create", "namespace", operator.Namespace)
	i.Do(identity.Admin, "label", "namespace", operator.Namespace, "pod-security.kubernetes.io/enforce=restricted")
	i.runHelm("install", "countersign", i.from, "--set", "image.tag="+previousTag)
	i.rolledOut(ctx)
}

func (i *installation) runHelm(args ...string) {
	i.Run(i.helm, append(args, "--namespace", operator.Namespace, "--wait", "--timeout", "3m")...)
}

func (i *installation) rolledOut(ctx context.Context) {
	i.Do(identity.Admin, "rollout", "status", "deployment/"+operator.Account, "deployment/"+operator.Webhook, "-n", operator.Namespace, "--timeout=120s")
	i.awaitWebhook(ctx)
}

// awaitWebhook waits until the nodes know the way to the webhook: that its Pods are
// ready is known a moment before.
func (i *installation) awaitWebhook(ctx context.Context) {
	if i.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	address, err := i.cluster.ServiceAddress(ctx, operator.Webhook+"."+operator.Namespace)
	if err != nil {
		i.Fail("find the webhook: %w", err)
		return
	}
	for {
		connection, err := i.cluster.DialContext(ctx, "tcp", netip.AddrPortFrom(address, 443).String())
		if err == nil {
			i.Say("the webhook answers at %s", address)
			_ = connection.Close()
			return
		}
		select {
		case <-ctx.Done():
			i.Fail("the webhook cannot be reached: %w", err)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (i *installation) waitsForOneMore() *v1alpha1.Release {
	i.Chapter("Version 2 has one vote of two when Countersign itself is upgraded, under load")
	before := i.current().Status.Sequence
	i.apply("dev", "v2", "")
	rel := i.AwaitCandidate(before)
	i.approve("alice", rel)
	return i.Await("one of two seats is filled", func(r *v1alpha1.Release) bool { return r.Status.Approvals == "1/2" })
}

func (i *installation) upgrade(ctx context.Context, rel *v1alpha1.Release) {
	i.runHelm("upgrade", "countersign", i.to, "--reset-then-reuse-values", "--set", "image.tag="+currentTag)
	i.rolledOut(ctx)
	i.Do(identity.Admin, "get", "pods", "-n", operator.Namespace, "-o", "custom-columns=POD:.metadata.name,IMAGE:.spec.containers[0].image,READY:.status.containerStatuses[0].ready")
	// Until the new leader has tested the gate nothing is promoted.
	after := i.Await("the gate is open", func(r *v1alpha1.Release) bool {
		held := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionApproved)
		return r.Status.Phase == v1alpha1.PhaseAwaitingApproval && held != nil && held.Reason != v1alpha1.ReasonGateFrozen
	})
	i.show()
	i.votesKept = after.Status.Approvals == "1/2" && digestOf(after) == digestOf(rel)
	if i.Err() == nil && !i.votesKept {
		i.Fail("the upgrade lost a vote: %s of %s before, %s of %s after", rel.Status.Approvals, digestOf(rel), after.Status.Approvals, digestOf(after))
	}
}

func (i *installation) killLeader(ctx context.Context, rel *v1alpha1.Release) {
	i.Chapter("The leader is killed when the switch is decided and not yet made")
	i.Do(identity.Admin, "apply", "-f", hold)
	i.awaitHold(ctx, true)
	i.approve("bob", rel)
	i.Await("the decision is on record", func(r *v1alpha1.Release) bool {
		sw := r.Status.Switch
		return sw != nil && sw.Epoch == 2 && sw.PatchedAt == nil
	})
	leader := i.leader(ctx)
	i.killed(ctx, leader)
	i.Do(identity.Admin, "delete", "-f", hold)
	i.awaitHold(ctx, false)
	since := time.Now()
	i.awaitSwitch(rel)
	i.takenOver = time.Since(since)
	i.Say("%s led, %s leads now, and finished what was begun after %.1f s", leader, i.leader(ctx), i.takenOver.Seconds())
	i.show()
	i.AwaitPhase(v1alpha1.PhaseStable)
}

func (i *installation) awaitHold(ctx context.Context, held bool) {
	if i.Err() != nil {
		return
	}
	if err := awaitHold(ctx, i.cluster, "shop", held); err != nil {
		i.Fail("%w", err)
	}
}

// leader is the name of the Pod that leads.
func (i *installation) leader(ctx context.Context) string {
	var lease coordinationv1.Lease
	if err := i.Client.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: operator.Lease}, &lease); err != nil {
		i.Fail("read who leads: %w", err)
		return ""
	}
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	pod, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	return pod
}

// killed ends a Pod's process as a crash would.
func (i *installation) killed(ctx context.Context, name string) {
	if i.Err() != nil {
		return
	}
	var pod corev1.Pod
	if err := i.Client.Get(ctx, client.ObjectKey{Namespace: operator.Namespace, Name: name}, &pod); err != nil {
		i.Fail("find the leader: %w", err)
		return
	}
	i.Say("SIGKILL to Pod %s, which leads", name)
	if err := i.cluster.KillContainer(ctx, pod.Status.ContainerStatuses[0].ContainerID); err != nil {
		i.Fail("kill the leader: %w", err)
	}
}

func (i *installation) uninstallAndBack(ctx context.Context) {
	i.Chapter("Uninstalled by mistake, with Releases in the cluster: what serves goes on serving")
	before := i.pods(ctx, "shop")
	i.uninstall()
	i.Do(identity.Admin, "get", "release,service,deployments", "-n", "shop")
	i.podsKept = len(before) > 0 && slices.Equal(before, i.pods(ctx, "shop"))
	i.Chapter("Installed again, it takes up where it stopped")
	i.runHelm("install", "countersign", i.to, "--set", "image.tag="+currentTag)
	i.rolledOut(ctx)
	sequence := i.current().Status.Sequence
	i.apply("dev", "v4", "")
	rel := i.AwaitCandidate(sequence)
	i.approve("alice", rel)
	i.approve("bob", rel)
	i.awaitSwitch(rel)
	i.history = i.AwaitPhase(v1alpha1.PhaseStable).Status.History
	i.demo.history()
}

func (i *installation) uninstall() {
	i.runHelm("uninstall", "countersign")
	i.Do(identity.Admin, "wait", "--for=delete", "pods", "--all", "-n", operator.Namespace, "--timeout=90s")
}

func (i *installation) leave(ctx context.Context) {
	i.Chapter("For good: Releases are given back, and nothing of Countersign is left")
	i.Do(identity.Admin, "delete", "releases", "--all", "--all-namespaces", "--wait", "--timeout=60s")
	i.uninstall()
	i.Do(identity.Admin, "delete", "crd", "releases.countersign.dev", "approvalpolicies.countersign.dev")
	i.Do(identity.Admin, "delete", "namespace", operator.Namespace, "--timeout=120s")
	i.Do(identity.Admin, "get", "service,deployments,pods", "-n", "shop")
	i.left = i.leftOver(ctx)
}

// leftOver is what has a name of ours in the whole cluster, but for the roles of
// the sample's people.
func (i *installation) leftOver(ctx context.Context) (names []string) {
	for _, list := range []client.ObjectList{
		&admissionregistrationv1.MutatingWebhookConfigurationList{}, &admissionregistrationv1.ValidatingAdmissionPolicyList{},
		&admissionregistrationv1.ValidatingAdmissionPolicyBindingList{}, &rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{},
	} {
		if err := i.Client.List(ctx, list); err != nil {
			i.Fail("see what is left: %w", err)
			return nil
		}
		_ = meta.EachListItem(list, func(o runtime.Object) error {
			if a, err := meta.Accessor(o); err == nil && strings.Contains(a.GetName(), "countersign") {
				names = append(names, a.GetName())
			}
			return nil
		})
	}
	return names
}

// conclude checks the figures and prints the last line.
func (i *installation) conclude(sum load.Summary, switches []string) error {
	reasons := inOrder(i.history)
	wantReasons := []string{"Promote to blue", "Promote to green", "Promote to blue", "Rollback to green", "Promote to blue"}
	wantSwitches := []string{"epoch 1 blue", "epoch 2 green", "epoch 3 blue", "epoch 4 green", "epoch 5 blue"}
	failed := sum.Failed + sum.Unexpected
	verdict := "ok"
	if failed > 0 || sum.Sent == 0 || !i.votesKept || !i.podsKept || len(i.left) > 0 ||
		!slices.Equal(reasons, wantReasons) || !slices.Equal(switches, wantSwitches) {
		verdict = "FAILED"
		fmt.Printf("# left: %q; on record: %q; seen: %q\n", i.left, reasons, switches)
	}
	fmt.Printf("demo-install: %s sent=%d failed=%d sick=%d switches=%d votes_kept_by_upgrade=%t leader_killed_to_switched_s=%.1f pods_kept_by_uninstall=%t left_over=%d\n",
		verdict, sum.Sent, failed, sum.Sick, len(switches), i.votesKept, i.takenOver.Seconds(), i.podsKept, len(i.left))
	if verdict != "ok" {
		return errors.New("the story did not end as it should")
	}
	return nil
}
