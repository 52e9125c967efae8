// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// Behaviours of the applications that are released. They are the first part of
// an image's tag, as in app:good-7.
const (
	good         = "good"
	badStart     = "badstart"     // never becomes ready
	failsTest    = "failstest"    // ready, but its checks fail
	sickLater    = "sicklater"    // its checks fail some time after it got traffic
	unreadyLater = "unreadylater" // becomes unready some time after it got traffic
	flaky        = "flaky"        // a check fails now and then
)

func (s *sim) newImage(behaviour string) string {
	s.imageNumber++
	return fmt.Sprintf("app:%s-%d", behaviour, s.imageNumber)
}

func imageOf(p *corev1.Pod) string {
	if len(p.Spec.Containers) == 0 {
		return ""
	}
	return p.Spec.Containers[0].Image
}

func behaviourOf(image string) string {
	_, tag, _ := strings.Cut(image, ":")
	behaviour, _, _ := strings.Cut(tag, "-")
	return behaviour
}

func isActiveService(svc *corev1.Service) bool {
	return svc.Labels[v1alpha1.RoleLabel] == v1alpha1.RoleActive
}

// gotTraffic notes when an image served for the first time: from then on its
// time to fall sick runs.
func (s *sim) gotTraffic(p *corev1.Pod) {
	image := imageOf(p)
	if _, known := s.sickAt[image]; known {
		return
	}
	s.sickAt[image] = s.clock.Add(time.Duration(5+s.rng.IntN(60)) * time.Second)
}

func (s *sim) sick(image string) bool {
	at, known := s.sickAt[image]
	return known && !s.clock.Before(at)
}

func (s *sim) becomesReady(p *corev1.Pod) bool {
	switch image := imageOf(p); behaviourOf(image) {
	case badStart:
		return false
	case unreadyLater:
		return !s.sick(image)
	}
	return true
}

// answers tells whether the Pod at an address passes its check now.
func (s *sim) answers(namespace, ip string) bool {
	for _, p := range live[*corev1.Pod](s, kindPod, nil) {
		if p.Status.PodIP != ip || p.Namespace != namespace {
			continue
		}
		image := imageOf(p)
		switch behaviourOf(image) {
		case failsTest:
			return false
		case sickLater, unreadyLater:
			return !s.sick(image)
		case flaky:
			h := fnv.New32a()
			_, _ = fmt.Fprint(h, p.Name, s.clock.Unix()/5)
			return h.Sum32()%8 != 0
		}
		return ready(p)
	}
	return false
}

// release under test, as it is now; nil when there is none.
func (s *sim) release() *v1alpha1.Release {
	rel, _ := s.server.get(s.releaseKey()).(*v1alpha1.Release)
	return rel
}
