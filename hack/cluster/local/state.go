// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/countersign/countersign/hack/cluster/build"
)

// Form is what kind of cluster it is.
type Form string

const (
	// Real has a kubelet, containers and kube-proxy, in namespaces of its own.
	// It wants root on Linux.
	Real Form = "real"
	// Fake has a real control plane on loopback and a node that only pretends:
	// its pods never run.
	Fake Form = "fake"
	// Existing is whatever cluster $KUBECONFIG leads to.
	Existing Form = "existing"
)

// DefaultName is the cluster that is meant when none is named.
const DefaultName = "local"

// NameVariable names the cluster that is meant where no flag does.
const NameVariable = "COUNTERSIGN_NAME"

// MeantName is the cluster that a program means without a flag: the one that it
// runs inside of, else that of the environment.
func MeantName() string { return cmp.Or(Inside(), os.Getenv(NameVariable), DefaultName) }

// state is what is written down about a cluster before anything of it exists,
// so that down can undo whatever a crash has left.
type state struct {
	Name    string            `json:"name"`
	Form    Form              `json:"form"`
	Pid     int               `json:"pid,omitempty"`
	Started string            `json:"started,omitempty"` // tells a process from a later one with its pid
	Ready   bool              `json:"ready"`
	Work    string            `json:"work,omitempty"`    // data of containerd and kubelet
	Made    []string          `json:"made,omitempty"`    // empty directories of the host, made to mount on
	Sysctls map[string]string `json:"sysctls,omitempty"` // as they were before the kubelet
}

var nameRule = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$`)

func clustersDir() (string, error) {
	cache, err := build.CacheDir()
	return filepath.Join(cache, "clusters"), err
}

func stateDir(name string) (string, error) {
	if !nameRule.MatchString(name) {
		return "", fmt.Errorf("%q cannot name a cluster: use up to 20 of a-z, 0-9 and -, a letter first", name)
	}
	dir, err := clustersDir()
	return filepath.Join(dir, name), err
}

// load reads the state of a cluster; fs.ErrNotExist means that there is none.
func load(name string) (*state, error) {
	dir, err := stateDir(name)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		return nil, err
	}
	s := &state{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("state of cluster %s: %w", name, err)
	}
	return s, nil
}

func (s *state) dir() string {
	dir, err := stateDir(s.Name)
	if err != nil { // the name was checked when the state was made
		panic(err)
	}
	return dir
}

func (s *state) file(name string) string { return filepath.Join(s.dir(), name) }

func (s *state) save() error {
	if err := os.MkdirAll(s.dir(), 0o700); err != nil {
		return err
	}
	aside := s.file("state.json.new")
	if err := writeJSON(aside, s); err != nil {
		return err
	}
	return os.Rename(aside, s.file("state.json"))
}

// alive says whether the cluster's first process still runs.
func (s *state) alive() bool { return s.Pid > 0 && sameProcess(s.Pid, s.Started) }

// all reads the states of all clusters of this person.
func all() ([]*state, error) {
	dir, err := clustersDir()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []*state
	for _, e := range entries {
		if !e.IsDir() || !nameRule.MatchString(e.Name()) {
			continue
		}
		s, err := load(e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}
