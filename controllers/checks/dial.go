// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
)

// address of a target.
func address(t Target) string { return net.JoinHostPort(t.IP, strconv.Itoa(int(t.Port))) }

// tcpQuestion asks whether a Pod takes a connection.
func tcpQuestion(ctx context.Context, t Target) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address(t))
	if err != nil {
		return podError(t, err)
	}
	_ = conn.Close()
	return nil
}

// dial opens a connection that is ready for use: with a config, TLS is agreed on.
func dial(ctx context.Context, t Target, config *tls.Config) (net.Conn, error) {
	if config == nil {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address(t))
	}
	return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address(t))
}

func podError(t Target, err error) error {
	return errors.New("Pod " + t.Pod + " " + complaint(err))
}

// complaint says what is wrong with a connection in words of our own: errors of
// the libraries quote what the other end sent, and the port that was asked from.
func complaint(err error) string {
	var (
		certificate *tls.CertificateVerificationError
		operation   *net.OpError
		record      tls.RecordHeaderError
		timeout     interface{ Timeout() bool }
	)
	switch {
	case errors.As(err, &certificate):
		return "showed a certificate that ca did not sign, or not for serverName, or not for today"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "does not speak TLS"
	case errors.As(err, &operation) && operation.Op == "remote error":
		return "refused to speak TLS"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused the connection"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "broke off the connection"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "cannot be reached"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "did not answer in time"
	}
	return "gave no answer of this protocol"
}
