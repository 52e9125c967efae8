// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Package image makes container images of one static Go program each, without
// a container engine or a registry.
package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nameAnnotation is what containerd takes an imported image's name from.
const nameAnnotation = "io.containerd.image.name"

// Image is a name, the environment that is baked in, and labels. Images of one
// program share its layer; a different environment gives a different digest.
type Image struct {
	Ref    string
	Env    []string
	Labels map[string]string
}

// buildFlags leave out whatever tells one machine or checkout from another. The
// Dockerfile has the same.
var buildFlags = []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w"}

// Compile builds the program of a Go package for this machine's architecture.
func Compile(ctx context.Context, dir, pkg, output string) error {
	return CompileFor(ctx, runtime.GOARCH, dir, pkg, output)
}

// CompileFor builds a static program, without C, for an architecture of Linux,
// such as arm64.
func CompileFor(ctx context.Context, arch, dir, pkg, output string) error {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build"}, buildFlags...), "-o", output, pkg)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// Write writes an OCI archive with one image for each of images, all running
// the given program. The same input gives the same bytes.
func Write(w io.Writer, program string, images ...Image) error {
	if len(images) == 0 {
		return errors.New("an archive wants at least one image")
	}
	layer, err := programLayer(program)
	if err != nil {
		return err
	}
	return writeLayout(w, func(path layout.Path) error {
		for _, i := range images {
			img, err := i.build(layer, runtime.GOARCH)
			if err != nil {
				return fmt.Errorf("image %s: %w", i.Ref, err)
			}
			names, err := i.names(img)
			if err != nil {
				return fmt.Errorf("image %s: %w", i.Ref, err)
			}
			for _, name := range names {
				if err := path.AppendImage(img, layout.WithAnnotations(map[string]string{nameAnnotation: name})); err != nil {
					return fmt.Errorf("image %s: %w", name, err)
				}
			}
		}
		return nil
	})
}

// writeLayout writes an archive of the layout that fill fills.
func writeLayout(w io.Writer, fill func(layout.Path) error) error {
	dir, err := os.MkdirTemp("", "oci-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := fill(path); err != nil {
		return err
	}
	return writeTar(w, dir)
}

func (i Image) build(layer v1.Layer, arch string) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.AppendLayers(img, layer)
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", arch
	file.Config.Entrypoint = []string{"/app"}
	file.Config.Env = i.Env
	file.Config.Labels = i.Labels
	file.Config.User = "65532:65532"
	return mutate.ConfigFile(img, file)
}

// names are the image's own and the one by its digest. With the latter pods may
// ask for the digest, and the node reports what runs as REPOSITORY@DIGEST, as it
// does for an image that was pulled.
func (i Image) names(img interface{ Digest() (v1.Hash, error) }) ([]string, error) {
	digest, err := img.Digest()
	if err != nil {
		return nil, err
	}
	ref, err := name.NewTag(i.Ref)
	if err != nil {
		return nil, err
	}
	return []string{i.Ref, ref.Context().Digest(digest.String()).Name()}, nil
}

// programLayer holds the program as /app and nothing else.
func programLayer(program string) (v1.Layer, error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	if err := t.WriteHeader(&tar.Header{Name: "app", Mode: 0o755, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
		return nil, err
	}
	if _, err := t.Write(data); err != nil {
		return nil, err
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}

// writeTar writes a directory's files in the order of their names, without
// times or owners.
func writeTar(w io.Writer, dir string) error {
	t := tar.NewWriter(w)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}
		if err := t.WriteHeader(header); err != nil {
			return err
		}
		_, err = t.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return t.Close()
}
