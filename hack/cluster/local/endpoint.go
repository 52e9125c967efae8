// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
)

// endpoint is where the API server listens and what its Services get.
type endpoint struct {
	address  string // of the API server
	bind     string // what it listens on
	port     int
	etcd     int // client port, always on 127.0.0.1
	peer     int
	manager  int // secure port of the controller manager
	schedule int // secure port of the scheduler
	services netip.Prefix
	fixed    bool // in a network of its own, where no port is ever taken
}

// serviceRange is where ClusterIPs come from, in every form.
var serviceRange = netip.MustParsePrefix("10.96.0.0/16")

func (e endpoint) url() string {
	return "https://" + net.JoinHostPort(e.address, strconv.Itoa(e.port))
}

func (e endpoint) etcdURL() string { return fmt.Sprintf("http://127.0.0.1:%d", e.etcd) }

func (e endpoint) peerURL() string { return fmt.Sprintf("http://127.0.0.1:%d", e.peer) }

// serviceIP is that of the Service "kubernetes", the first of the range.
func (e endpoint) serviceIP() string { return e.services.Addr().Next().String() }

// reconciler says who publishes the API server's address to pods: nobody where
// it is a loopback address, which the API server refuses to publish.
func (e endpoint) reconciler() string {
	if e.fixed {
		return "lease"
	}
	return "none"
}

func loopback() (endpoint, error) {
	e := endpoint{address: "127.0.0.1", bind: "127.0.0.1", services: serviceRange}
	for _, port := range []*int{&e.port, &e.etcd, &e.peer, &e.manager, &e.schedule} {
		free, err := freePort()
		if err != nil {
			return e, err
		}
		*port = free
	}
	return e, nil
}

// freePort picks from below the range that the kernel uses for outgoing
// connections, at random, so that many test processes hardly ever meet.
func freePort() (int, error) {
	for range 100 {
		port := 12000 + rand.IntN(20000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, errors.New("found no free loopback port in 100 tries")
}
