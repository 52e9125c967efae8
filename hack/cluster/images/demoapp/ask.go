// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// terminationLog is where the kubelet takes the last words of a container from.
const terminationLog = "/dev/termination-log"

// ask is what the Job of a check does: every Pod of the candidate has to answer.
func ask(path string, getenv func(string) string) error {
	addresses := strings.FieldsFunc(getenv("COUNTERSIGN_ADDRESSES"), func(r rune) bool { return r == ',' })
	if len(addresses) == 0 {
		return errors.New("COUNTERSIGN_ADDRESSES names no Pod")
	}
	client := &http.Client{Timeout: 5 * time.Second}
	for _, address := range addresses {
		url := "http://" + net.JoinHostPort(address, "8080") + path
		response, err := client.Get(url)
		if err != nil {
			return err
		}
		if err := response.Body.Close(); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s", url, response.Status)
		}
	}
	fmt.Printf("%d Pods answer\n", len(addresses))
	return nil
}

// lastWords of a Job that failed; where there is no kubelet, nobody reads them.
func lastWords(err error) { _ = os.WriteFile(terminationLog, []byte(err.Error()), 0o644) }
