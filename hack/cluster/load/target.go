// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
)

// Resolver finds the address of a Service by its name.
type Resolver func(ctx context.Context, host string) (netip.Addr, error)

// Target is a checked place to send requests to. Connections go to its address
// whatever a name means later.
type Target struct {
	URL     *url.URL
	Address netip.AddrPort
}

// NewTarget refuses every target that is not on loopback, in one of the
// cluster's own ranges, or a Service that resolve knows.
func NewTarget(ctx context.Context, raw string, ranges []netip.Prefix, resolve Resolver) (Target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Target{}, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return Target{}, fmt.Errorf("%q is no target: want http://ADDRESS:PORT/PATH", raw)
	}
	address, err := netip.ParseAddr(u.Hostname())
	switch {
	case u.Hostname() == "localhost":
		address = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case err == nil:
		if address = address.Unmap(); !allowed(address, ranges) {
			return Target{}, fmt.Errorf("%s is neither a loopback address nor in the cluster's own ranges %v: load goes nowhere else", address, ranges)
		}
	default: // a name: only a Service's will do, never the DNS
		if address, err = resolve(ctx, u.Hostname()); err != nil {
			return Target{}, err
		}
	}
	port, err := portOf(u)
	if err != nil {
		return Target{}, err
	}
	return Target{URL: u, Address: netip.AddrPortFrom(address, port)}, nil
}

func allowed(a netip.Addr, ranges []netip.Prefix) bool {
	if a.IsLoopback() {
		return true
	}
	for _, r := range ranges {
		if r.Contains(a) {
			return true
		}
	}
	return false
}

func portOf(u *url.URL) (uint16, error) {
	name := u.Port()
	if name == "" {
		name = u.Scheme
	}
	port, err := net.LookupPort("tcp", name)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("%q has no usable port", u)
	}
	return uint16(port), nil
}
