// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func index(t *testing.T, i Image, contents map[string]string, architectures ...string) ([]byte, v1.Hash) {
	t.Helper()
	var programs []Program
	for _, arch := range architectures {
		p := Program{Arch: arch, File: filepath.Join(t.TempDir(), "program")}
		if err := os.WriteFile(p.File, []byte(contents[arch]), 0o755); err != nil {
			t.Fatal(err)
		}
		programs = append(programs, p)
	}
	var b bytes.Buffer
	digest, err := WriteIndex(&b, i, programs...)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), digest
}

func TestIndex(t *testing.T) {
	i := Image{Ref: "countersign.local/app:v1", Labels: map[string]string{"org.opencontainers.image.title": "App"}}
	archive, digest := index(t, i, map[string]string{"amd64": "one", "arm64": "other"}, "amd64", "arm64")
	got := files(t, archive)
	top := decode[v1.IndexManifest](t, got["index.json"])
	if len(top.Manifests) != 2 {
		t.Fatalf("index.json has %+v, want the image by its tag and by its digest", top.Manifests)
	}
	for n, m := range top.Manifests {
		name := []string{"countersign.local/app:v1", "countersign.local/app@" + digest.String()}[n]
		tag := []string{"v1", ""}[n]
		if m.Digest != digest || m.Annotations[nameAnnotation] != name || m.Annotations[refAnnotation] != tag {
			t.Errorf("index.json has %+v, want %s as %s with tag %q", m, digest, name, tag)
		}
	}
	image := decode[v1.IndexManifest](t, got["blobs/sha256/"+digest.Hex])
	if len(image.Manifests) != 2 || image.Annotations["org.opencontainers.image.title"] != "App" {
		t.Fatalf("the image is %+v, want two architectures and the label", image)
	}
	for n, arch := range []string{"amd64", "arm64"} {
		if p := image.Manifests[n].Platform; p == nil || p.OS != "linux" || p.Architecture != arch {
			t.Errorf("platform is %v, want linux/%s", p, arch)
		}
		manifest := decode[v1.Manifest](t, got["blobs/sha256/"+image.Manifests[n].Digest.Hex])
		config := decode[v1.ConfigFile](t, got["blobs/sha256/"+manifest.Config.Digest.Hex])
		if config.Architecture != arch || config.Config.User != "65532:65532" || config.Config.Labels["org.opencontainers.image.title"] != "App" {
			t.Errorf("config is %+v", config)
		}
		if !config.Created.IsZero() || len(manifest.Layers) != 1 {
			t.Errorf("created %s with %d layers, want no time and one layer", config.Created, len(manifest.Layers))
		}
	}
}

func TestIndexIsReproducible(t *testing.T) {
	i := Image{Ref: "countersign.local/app:v1", Labels: map[string]string{"a": "1", "b": "2", "c": "3"}}
	contents := map[string]string{"amd64": "same", "arm64": "same"}
	first, _ := index(t, i, contents, "amd64", "arm64")
	if second, _ := index(t, i, contents, "amd64", "arm64"); !bytes.Equal(first, second) {
		t.Error("the same programs make different archives")
	}
	i.Labels = map[string]string{"a": "2"}
	if other, _ := index(t, i, contents, "amd64", "arm64"); bytes.Equal(first, other) {
		t.Error("another label makes the same archive")
	}
}

func TestIndexWantsAProgram(t *testing.T) {
	if _, err := WriteIndex(io.Discard, Image{Ref: "countersign.local/app:v1"}); err == nil || !strings.Contains(err.Error(), "at least one") {
		t.Errorf("error is %v", err)
	}
}

// TestCompileIsReproducible compiles the same module in two places.
func TestCompileIsReproducible(t *testing.T) {
	compile := func() []byte {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"go.mod":  "module example.com/app\n\ngo 1.26.0\n",
			"main.go": "package main\n\nfunc main() { panic(\"here\") }\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		program := filepath.Join(dir, "program")
		if err := CompileFor(t.Context(), "arm64", dir, ".", program); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if !bytes.Equal(compile(), compile()) {
		t.Error("the same sources in another directory make another program")
	}
}

// TestDockerfile holds it to what Compile does.
func TestDockerfile(t *testing.T) {
	data, err := os.ReadFile("../../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	quoted := make([]string, len(buildFlags))
	for n, flag := range buildFlags {
		quoted[n] = flag
		if strings.Contains(flag, " ") {
			quoted[n] = `"` + flag + `"`
		}
	}
	for _, want := range []string{
		"RUN CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go build " + strings.Join(quoted, " ") + " -o /app .",
		"FROM scratch", "USER 65532:65532", `ENTRYPOINT ["/app"]`,
	} {
		if !strings.Contains(string(data), "\n"+want) {
			t.Errorf("the Dockerfile lacks: %s", want)
		}
	}
}
