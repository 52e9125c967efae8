// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package rollout_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/rollout"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// setPorts writes the ports of a Service into the spec; none of them means that
// people make it.
func (w *world) setPorts(name string, ports ...int32) {
	w.respec(func(s *v1alpha1.ReleaseSpec) {
		i := slices.IndexFunc(s.Services, func(r v1alpha1.ServiceRef) bool { return r.Name == name })
		s.Services[i].Ports = nil
		for _, port := range ports {
			s.Services[i].Ports = append(s.Services[i].Ports, v1alpha1.ServicePort{Name: "http", Port: port, TargetPort: ptr(intstr.IntOrString{})})
		}
	})
}

// withPorts lets the operator make Service shop, which is not there.
func withPorts(w *world) {
	delete(w.services, "shop")
	w.setPorts("shop", 80)
}

// deleteShop is what somebody does behind the operator's back.
func (w *world) deleteShop() {
	w.version++
	delete(w.services, "shop")
}

// insist lets somebody delete Service shop as soon as it is there, for as long as it
// is made again.
func (w *world) insist() {
	w.t.Helper()
	w.did = nil
	for range 3 {
		w.step()
		w.step()
		w.now = w.now.Add(5 * time.Second)
		w.wantsActions("MakeService shop", "MakeService shop")
	}
}

func TestServiceIsMade(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"before the first content, leading nowhere": func(t *testing.T) {
			w := newWorld(t, withPorts)
			w.run()
			w.wantsActions("AddFinalizer", "MakeService shop", "Materialise blue 3", "PointPreview shop-preview blue")
			w.wants(v1alpha1.PhaseAwaitingApproval)
			w.wantsTraffic("")
			if svc := w.services["shop"]; svc.owner != "shop" || svc.epoch != 0 || len(svc.ports) != 1 || svc.ports[0].Protocol != corev1.ProtocolTCP {
				t.Errorf("it is %+v", svc)
			}
			digest := w.rel.Status.Candidate.Digest
			w.approve("bob")
			w.run()
			w.wantsActions("Shift blue epoch 1")
			w.wantsTraffic(blue)
			if w.rel.Status.Active.Digest != digest || w.rel.Status.Sequence != 1 {
				t.Errorf("making it made other content: %d", w.rel.Status.Sequence)
			}
		},
		"its ports are those of the spec, with what the API server fills in": func(t *testing.T) {
			w := newWorld(t, withPorts, func(w *world) {
				w.rel.Spec.Services[0].Ports = []v1alpha1.ServicePort{{Port: 81}, {Name: "https", Port: 443, TargetPort: ptr(intstr.FromString("tls")), Protocol: "UDP", AppProtocol: "https"}}
			})
			w.run()
			want := []corev1.ServicePort{
				{Port: 81, TargetPort: intstr.FromInt32(81), Protocol: "TCP"},
				{Name: "https", Port: 443, TargetPort: intstr.FromString("tls"), Protocol: "UDP", AppProtocol: ptr("https")},
			}
			if got := w.services["shop"].ports; !reflect.DeepEqual(got, want) {
				t.Errorf("they are %+v, want %+v", got, want)
			}
			w.wantsCondition(v1alpha1.ConditionStalled, "", "")
		},
		"one with these ports is adopted, in whatever order and with whatever node port": func(t *testing.T) {
			w := newWorld(t, func(w *world) {
				w.rel.Spec.Services[0].Ports = []v1alpha1.ServicePort{{Name: "a", Port: 80}, {Name: "b", Port: 80, Protocol: "UDP"}, {Name: "c", Port: 79}}
				ports := w.rel.Spec.Services[0].ServedPorts()
				slices.Reverse(ports)
				ports[0].NodePort = 30080
				w.services["shop"].ports = ports
			})
			w.run()
			w.wantsActions("AddFinalizer", "Park shop", "Materialise blue 3", "PointPreview shop-preview blue")
			w.wants(v1alpha1.PhaseAwaitingApproval)
		},
		"one with anything else than these ports is not": func(t *testing.T) {
			for what, change := range map[string]func(*corev1.ServicePort){
				"name": func(p *corev1.ServicePort) { p.Name = "x" }, "port": func(p *corev1.ServicePort) { p.Port = 81 },
				"target": func(p *corev1.ServicePort) { p.TargetPort.IntVal = 81 }, "protocol": func(p *corev1.ServicePort) { p.Protocol = "UDP" },
				"appProtocol": func(p *corev1.ServicePort) { p.AppProtocol = ptr("https") },
			} {
				w := newWorld(t)
				w.setPorts("shop", 80)
				change(&w.services["shop"].ports[0])
				w.run()
				if c := w.condition(v1alpha1.ConditionStalled); c.Reason != v1alpha1.ReasonServicePortsDiffer {
					t.Errorf("%s: %+v", what, c)
				}
			}
		},
		"one that is added to the spec leads nowhere until content is let through with it": func(t *testing.T) {
			w := serving(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Services = append(s.Services, v1alpha1.ServiceRef{Name: "admin"}) })
			w.setPorts("admin", 80)
			w.run()
			w.wants(v1alpha1.PhaseAwaitingApproval)
			if _, parked := leadsTo(w.services["admin"].selector); !parked {
				t.Errorf("it is %+v", w.services["admin"])
			}
			w.approve("bob")
			w.run()
			w.wantsTraffic(green)
		},
		"not while the spec contradicts itself": func(t *testing.T) {
			w := newWorld(t, withPorts, func(w *world) { w.problems = []string{"spec.x is wrong; mend it"} })
			w.run()
			w.wantsActions("AddFinalizer")
		},
		"not while traffic moves": func(t *testing.T) {
			w := halfSwitched(t)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Services = append(s.Services, v1alpha1.ServiceRef{Name: "more"}) })
			w.setPorts("more", 80)
			w.step()
			w.wantsActions("Shift green epoch 2")
		},
		"a candidate whose Service is gone has to wait, and keeps its votes": func(t *testing.T) {
			w := newWorld(t, withPorts)
			w.run()
			digest := w.rel.Status.Candidate.Digest
			w.deleteShop()
			w.approve("bob")
			w.step()
			if w.rel.Status.Switch != nil || w.rel.Status.Candidate.Digest != digest {
				t.Errorf("without a Service it decides %+v", w.rel.Status)
			}
			w.run()
			w.wantsTraffic(blue)
			if w.rel.Status.Active.Digest != digest {
				t.Errorf("it is other content: %s", w.rel.Status.Active.Digest)
			}
		},
		"it stays when the Release is deleted, whatever the deletionPolicy": func(t *testing.T) {
			for _, policy := range []v1alpha1.DeletionPolicy{v1alpha1.RetainOnDeletion, v1alpha1.DeleteOnDeletion} {
				w := serving(t, withPorts, func(w *world) { w.rel.Spec.DeletionPolicy = policy })
				w.rel.DeletionTimestamp = &metav1.Time{Time: w.now}
				w.run()
				if svc := w.services["shop"]; svc == nil || svc.owner != "" {
					t.Errorf("%s: it is %+v", policy, svc)
				}
			}
		},
		"a Release that is deleted makes none": func(t *testing.T) {
			w := serving(t, withPorts)
			w.deleteShop()
			w.rel.DeletionTimestamp = &metav1.Time{Time: w.now}
			w.run()
			if w.services["shop"] != nil {
				t.Error("it is made")
			}
		},
	})
}

func TestServiceIsMadeAgain(t *testing.T) {
	scenarios(t, map[string]func(*testing.T){
		"and leads to what is active": func(t *testing.T) {
			w := serving(t, withPorts)
			w.deleteShop()
			w.step()
			w.wantsActions("MakeService shop")
			w.wantsTraffic("") // whoever was asleep and makes it late leads it nowhere
			if sw := w.rel.Status.Switch; sw.Reason != v1alpha1.SwitchRepair || sw.Epoch != 2 || sw.PatchedAt != nil {
				t.Errorf("it is on record as %+v", sw)
			}
			w.run()
			w.wantsActions("Shift blue epoch 2")
			w.wantsTraffic(blue)
			w.wantsNotice("SelectorRepaired")
			w.wants(v1alpha1.PhaseStable)
			if h := w.rel.Status.History; len(h) != 2 || h[0].Epoch != 2 {
				t.Errorf("the history is %+v", h)
			}
		},
		"with the ports that were let through": func(t *testing.T) {
			w := serving(t, withPorts)
			w.setPorts("shop", 81)
			w.deleteShop()
			w.run()
			w.wantsTraffic(blue)
			if p := w.services["shop"].ports[0].Port; p != 80 {
				t.Errorf("its port is %d", p)
			}
			w.wantsStalled(v1alpha1.ReasonServicePortsDiffer, "let them stand")
		},
		"not with ports that were not let through": func(t *testing.T) {
			w := serving(t)
			w.setPorts("shop", 80)
			w.deleteShop()
			w.run()
			w.wantsActions()
			w.wantsStalled(v1alpha1.ReasonServiceMissing, "let through without services[].ports to make it with; create it in namespace prod")
		},
		"not when it was taken out of the spec": func(t *testing.T) {
			w := serving(t, withPorts, withTwoServices)
			w.respec(func(s *v1alpha1.ReleaseSpec) { s.Services = s.Services[1:] })
			w.run()
			w.deleteShop()
			w.did = nil
			w.run()
			w.wantsActions()
		},
		"while another Service serves, which is led back first": func(t *testing.T) {
			w := serving(t, withPorts, withTwoServices)
			w.deleteShop()
			w.services["admin"].selector = nil
			w.step()
			w.wantsActions("Shift blue epoch 2", "MakeService shop")
			w.run()
			w.wantsTraffic(blue)
		},
		"for as long as another Service that serves cannot be led back": func(t *testing.T) {
			w := serving(t, withPorts, withTwoServices)
			w.unwanted, w.writes = map[string]bool{"shop": true}, 0
			w.deleteShop()
			w.services["admin"].selector = nil
			for range 5 {
				w.step()
				w.now = w.now.Add(5 * time.Second)
			}
			w.unwanted, w.writes = nil, 9
			w.run()
			w.wantsTraffic(blue)
		},
		"when traffic goes back, and nothing is left to lead there": func(t *testing.T) {
			w := secondObserved(t, withPorts)
			w.askBack("olga")
			w.writes = 0
			w.step()
			w.deleteShop()
			w.writes, w.did = 9, nil
			w.run()
			w.wantsActions("MakeService shop", "Shift blue epoch 3")
			w.wantsTraffic(blue)
			w.wants(v1alpha1.PhaseHalted)
		},
		"when it goes while endpoints follow": func(t *testing.T) {
			w := serving(t, withPorts)
			w.edit("v2")
			w.run()
			w.approve("bob")
			w.lag = true
			w.run()
			w.deleteShop()
			w.lag = false
			w.run()
			w.wantsTraffic(green)
			w.wants(v1alpha1.PhaseObserving)
		},
		"when the time of the observation is over without it": func(t *testing.T) {
			w := observing(t, withPorts)
			w.unwanted = map[string]bool{"shop": true}
			w.deleteShop()
			w.insist()
			w.now = w.now.Add(585 * time.Second)
			w.step()
			if w.rel.Status.Active.FinishedAt != nil {
				t.Error("it is finished, and nothing leads to it")
			}
		},
		"once it is gone": func(t *testing.T) {
			w := serving(t, withPorts)
			w.services["shop"].leaving = true
			w.run()
			w.wantsActions()
			w.wantsStalled(v1alpha1.ReasonServiceMissing, "see what holds it: kubectl get service shop -n prod -o yaml")
			w.deleteShop()
			w.run()
			w.wantsTraffic(blue)
			w.wantsCondition(v1alpha1.ConditionStalled, "", "")
		},
		"who insists on deleting it is told, and is not fought": func(t *testing.T) {
			w := serving(t, withPorts)
			for range 3 {
				w.deleteShop()
				w.run()
				w.wantsTraffic(blue)
			}
			w.deleteShop()
			w.did = nil
			w.run()
			w.wantsActions()
			w.wantsStalled(v1alpha1.ReasonSelectorConflict, "something keeps deleting Service shop, which serves, or keeps it from being made; take it out of what prunes namespace prod, and see whether there is room for it: kubectl get resourcequota -n prod")
			w.pass(10 * time.Minute)
			w.wantsTraffic(blue)
			w.wantsCondition(v1alpha1.ConditionStalled, "", "")
		},
		"nor is who deletes it at once": func(t *testing.T) {
			w := serving(t, withPorts)
			w.unwanted = map[string]bool{"shop": true}
			w.deleteShop()
			w.insist()
			w.run()
			w.wantsActions()
			w.wantsStalled(v1alpha1.ReasonSelectorConflict, "something keeps deleting Service shop")
			w.unwanted = nil
			w.pass(10 * time.Minute)
			w.wantsTraffic(blue)
			w.wantsCondition(v1alpha1.ConditionStalled, "", "")
		},
		"and never keeps content that fails from going back": func(t *testing.T) {
			w := secondObserved(t, withTwoServices, withPorts)
			w.unwanted = map[string]bool{"shop": true}
			w.deleteShop()
			w.step()
			w.colours[green].missing = 3
			w.did = nil
			w.step()
			w.wantsActions("Shift blue epoch 4")
			w.unwanted = nil
			w.run()
			w.wantsTraffic(blue)
			w.wants(v1alpha1.PhaseHalted)
		},
	})
}

// A Service that was made at last is led by the record of that time alone.
func TestServiceIsMadeLate(t *testing.T) {
	w := serving(t, withPorts)
	w.deleteShop()
	d := rollout.Decide(w.snapshot())
	w.rel.Status = d.Status
	w.addService("shop") // somebody was faster
	for _, a := range d.Actions {
		if w.carry(a) {
			t.Errorf("%s, and it is there", spell(a))
		}
	}
	w.run()
	w.wantsTraffic(blue)
}
