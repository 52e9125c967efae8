// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"time"
)

// keeper is a client that keeps one connection open and sends one request after
// the other on it, for as long as the server wants it to. Other than Go's own
// client it never repeats a request by itself: one that meets a connection which
// the server is just closing has failed.
type keeper struct {
	*runner
	conn net.Conn
	from *bufio.Reader
	nth  int
}

// keep runs all keepers. They share the rate; each has its turn at its own times.
func (r *runner) keep(ctx context.Context) {
	for i := range r.opts.Connections {
		r.wait.Go(func() {
			k := &keeper{runner: r}
			r.pace(ctx, i, r.opts.Connections, func(due time.Duration) { r.add(k.request(due)) })
			k.drop()
		})
	}
	r.wait.Wait()
}

func (k *keeper) request(due time.Duration) result {
	out := k.sending(due)
	response, err := k.ask()
	out.nth = k.nth
	if err != nil {
		k.drop()
		return k.ended(out, err)
	}
	out = k.read(out, response)
	if out.err != nil || response.Close {
		k.drop()
	}
	return out
}

func (k *keeper) ask() (*http.Response, error) {
	request, err := http.NewRequest(http.MethodGet, k.opts.Target.URL.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	until := time.Now().Add(k.opts.Timeout)
	if k.conn == nil {
		k.nth = 0
		dialer := net.Dialer{Deadline: until}
		if k.conn, err = dialer.Dial("tcp", k.opts.Target.Address.String()); err != nil {
			k.conn, k.nth = nil, 1
			return nil, err
		}
		k.from = bufio.NewReader(k.conn)
		k.tally.opened()
	}
	k.nth++
	if err := k.conn.SetDeadline(until); err != nil {
		return nil, err
	}
	if err := request.Write(k.conn); err != nil {
		return nil, err
	}
	return http.ReadResponse(k.from, request)
}

func (k *keeper) drop() {
	if k.conn != nil {
		k.conn.Close()
		k.conn = nil
	}
}
