// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// needs are the host's packages, by Debian's names, that a real cluster uses,
// with a command that works once the package is there.
var needs = []struct {
	pkg   string
	check []string
}{
	{"iproute2", []string{"ip", "-V"}},
	{"iptables", []string{"iptables", "--version"}},
	{"nftables", []string{"nft", "--version"}},
	{"conntrack", []string{"conntrack", "--version"}},
	{"gcc", []string{"gcc", "--version"}},
	{"pkg-config", []string{"pkg-config", "--version"}},
	{"libseccomp-dev", []string{"pkg-config", "--exists", "libseccomp"}},
}

func missingPackages(ctx context.Context) []string {
	var out []string
	for _, n := range needs {
		if exec.CommandContext(ctx, n.check[0], n.check[1:]...).Run() != nil {
			out = append(out, n.pkg)
		}
	}
	return out
}

// ensurePackages installs what is missing, or says by which command a person can.
func ensurePackages(ctx context.Context, progress io.Writer) error {
	missing := missingPackages(ctx)
	if len(missing) == 0 {
		return nil
	}
	install := "apt-get install -y --no-install-recommends " + strings.Join(missing, " ")
	if _, err := os.Stat("/etc/debian_version"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("missing on this machine (Debian's names): %s; install them, on Debian by: apt-get update && %s", strings.Join(missing, ", "), install)
	}
	fmt.Fprintf(progress, "installing %s\n", strings.Join(missing, ", "))
	for _, line := range []string{"apt-get update", install} {
		cmd := exec.CommandContext(ctx, "sh", "-c", line)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", line, err, out)
		}
	}
	return nil
}
