// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

// Command krew writes archives of the plugin kubectl countersign for each platform,
// their sums, and the manifest that krew installs it by:
//
//	go run . -version v0.1.0 -address https://downloads.example/countersign/v0.1.0
//
// It is a module of its own for the sake of krew, which checks what it writes. The
// same sources and the same Go give the same bytes.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

// platform is what an archive is for.
type platform struct{ OS, Arch string }

var platforms = []platform{
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"linux", "amd64"}, {"linux", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

// Bin is the program's name in its archive.
func (p platform) Bin() string {
	if p.OS == "windows" {
		return "kubectl-countersign.exe"
	}
	return "kubectl-countersign"
}

// release is what the manifest says.
type release struct {
	Version  string
	Archives []archive
}

type archive struct {
	platform
	Address, Sum string
}

func main() {
	version := flag.String("version", "", "version of the plugin: v0.1.0")
	address := flag.String("address", "", "where the archives can be downloaded: https://HOST/PATH, without their names")
	dir := flag.String("dir", "../../dist/krew", "directory of the archives, SHA256SUMS and countersign.yaml")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := write(ctx, *version, *address, *dir, compile); err != nil {
		fmt.Fprintln(os.Stderr, "krew:", err)
		os.Exit(1)
	}
}

var versionRule = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// write builds everything. build gives the program of a platform.
func write(ctx context.Context, version, address, dir string, build func(context.Context, platform, string) error) error {
	if !versionRule.MatchString(version) {
		return fmt.Errorf("-version is %q, want one like v0.1.0", version)
	}
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("-address is %q, want https://HOST/PATH: krew installs what it finds there", address)
	}
	dir, err := filepath.Abs(dir) // it is told, and this is not where people stand
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	license, err := os.ReadFile(filepath.Join(root(), "LICENSE"))
	if err != nil {
		return err
	}
	r := release{Version: version}
	var sums strings.Builder
	for _, p := range platforms {
		fmt.Printf("building for %s/%s\n", p.OS, p.Arch)
		name := fmt.Sprintf("kubectl-countersign_%s_%s_%s.tar.gz", version, p.OS, p.Arch)
		sum, err := pack(ctx, p, license, filepath.Join(dir, name), build)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", p.OS, p.Arch, err)
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, name)
		r.Archives = append(r.Archives, archive{platform: p, Address: strings.TrimSuffix(address, "/") + "/" + name, Sum: sum})
	}
	if err := os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(sums.String()), 0o644); err != nil {
		return err
	}
	// krew wants the file to have the plugin's name.
	manifest := filepath.Join(dir, "countersign.yaml")
	if err := writeManifest(manifest, r); err != nil {
		return err
	}
	if err := check(ctx, manifest); err != nil {
		return err
	}
	fmt.Printf("%d archives, SHA256SUMS and countersign.yaml are in %s; to try them: krew install --manifest=%s --archive=ARCHIVE\n", len(r.Archives), dir, manifest)
	return nil
}

//go:embed countersign.yaml.tmpl
var manifestText string

func writeManifest(file string, r release) error {
	t, err := template.New("manifest").Option("missingkey=error").Parse(manifestText)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, r); err != nil {
		return err
	}
	return os.WriteFile(file, text.Bytes(), 0o644)
}

// check has krew read the manifest as its index does.
func check(ctx context.Context, manifest string) error {
	return tool(ctx, nil, "sigs.k8s.io/krew/cmd/validate-krew-manifest", "-manifest", manifest, "-skip-install")
}

// tool runs a tool of this module.
func tool(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"tool", name}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// root is the top of the repository, seen from this module.
func root() string { return filepath.Join("..", "..") }

func compile(ctx context.Context, p platform, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", to, "./cmd/kubectl-countersign")
	cmd.Dir = root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// pack writes the archive of a platform, with nothing in it that another run would
// have otherwise, and gives its sum.
func pack(ctx context.Context, p platform, license []byte, to string, build func(context.Context, platform, string) error) (sum string, err error) {
	aside, err := os.MkdirTemp("", "countersign-krew-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(aside)
	program := filepath.Join(aside, p.Bin())
	if err := build(ctx, p, program); err != nil {
		return "", err
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	file, err := os.Create(to)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	hash := sha256.New()
	zip := gzip.NewWriter(io.MultiWriter(file, hash))
	t := tar.NewWriter(zip)
	for _, f := range []struct {
		name    string
		mode    int64
		content []byte
	}{{p.Bin(), 0o755, content}, {"LICENSE", 0o644, license}} {
		if err := t.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), Format: tar.FormatUSTAR}); err != nil {
			return "", err
		}
		if _, err := t.Write(f.content); err != nil {
			return "", err
		}
	}
	if err := errors.Join(t.Close(), zip.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
