// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The receiver in docs/observability.md takes what is signed, and nothing else.
func TestDocumentedReceiver(t *testing.T) {
	page, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(page)
	if program == nil {
		t.Fatal("there is none")
	}
	directory := t.TempDir()
	source, binary := filepath.Join(directory, "main.go"), filepath.Join(directory, "receiver")
	write(t, source, string(program[1]))
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	receiver := exec.CommandContext(t.Context(), binary, address)
	receiver.Env = append(os.Environ(), "KEY="+key("a"))
	out, err := receiver.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := receiver.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = receiver.Process.Kill(), receiver.Wait() }()
	s := sender(t, "http://"+address)
	start(t, s)
	s.Notify(shop("7"), rolledBack) // again and again until it listens
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadString('\n')
		line <- text
	}()
	select {
	case text := <-line:
		if !strings.Contains(text, "dev.countersign.release.RolledBack") {
			t.Errorf("it prints %q", text)
		}
	case <-time.After(limit):
		t.Fatal("it takes nothing")
	}
	response, err := http.Post("http://"+address, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("what is not signed gets %s", response.Status)
	}
}
