// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func archive(t *testing.T, content string, images ...Image) []byte {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Write(&b, program, images...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func files(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if out[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestArchive(t *testing.T) {
	got := files(t, archive(t, "hello",
		Image{Ref: "countersign.local/app:v1", Env: []string{"VERSION=v1"}},
		Image{Ref: "countersign.local/app:v2", Env: []string{"VERSION=v2"}}))
	if _, ok := got["oci-layout"]; !ok {
		t.Error("there is no oci-layout")
	}
	blob := func(h v1.Hash) []byte {
		data, ok := got["blobs/sha256/"+h.Hex]
		if !ok {
			t.Fatalf("blob %s is missing", h)
		}
		return data
	}
	index := decode[v1.IndexManifest](t, got["index.json"])
	if len(index.Manifests) != 4 || index.Manifests[0].Digest == index.Manifests[2].Digest {
		t.Fatalf("manifests are %+v, want two images with two names each", index.Manifests)
	}
	for i, m := range index.Manifests {
		version := []string{"v1", "v2"}[i/2]
		want := []string{"countersign.local/app:" + version, "countersign.local/app@" + m.Digest.String()}[i%2]
		if got := m.Annotations[nameAnnotation]; got != want {
			t.Errorf("name is %q, want %q", got, want)
		}
		manifest := decode[v1.Manifest](t, blob(m.Digest))
		if len(manifest.Layers) != 1 {
			t.Fatalf("%d layers, want one", len(manifest.Layers))
		}
		config := decode[v1.ConfigFile](t, blob(manifest.Config.Digest))
		if !slices.Equal(config.Config.Env, []string{"VERSION=" + version}) || !slices.Equal(config.Config.Entrypoint, []string{"/app"}) {
			t.Errorf("config is %+v", config.Config)
		}
		blob(manifest.Layers[0].Digest)
	}
}

func TestArchiveIsReproducible(t *testing.T) {
	i := Image{Ref: "countersign.local/app:v1"}
	if !bytes.Equal(archive(t, "same", i), archive(t, "same", i)) {
		t.Error("the same program makes different archives")
	}
	if bytes.Equal(archive(t, "same", i), archive(t, "other", i)) {
		t.Error("different programs make the same archive")
	}
}

func TestArchiveWantsAnImage(t *testing.T) {
	if err := Write(io.Discard, "program"); err == nil || !strings.Contains(err.Error(), "at least one") {
		t.Errorf("error is %v", err)
	}
}

func TestCompile(t *testing.T) {
	out := filepath.Join(t.TempDir(), "pause")
	if err := Compile(t.Context(), "..", "./images/pause", out); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(out); err != nil || info.Size() == 0 {
		t.Errorf("no program: %v", err)
	}
	if err := Compile(t.Context(), "..", "./no-such-package", out); err == nil {
		t.Error("a package that does not exist compiles")
	}
}
