// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package local

import (
	"fmt"
	"path/filepath"
)

// containerdConfig leaves out what a machine may lack and what makes sense only
// for a container engine that people use.
func containerdConfig(bin, cni string) string {
	return fmt.Sprintf(`version = 3
root = %q
state = %q
disabled_plugins = [
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.nri.v1.nri",
  "io.containerd.internal.v1.opt",
]

[grpc]
  address = %q

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = %q

[plugins.'io.containerd.cri.v1.runtime']
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE runc could not lower a score below our own.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = [%q]
    conf_dir = %q
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = %q
        SystemdCgroup = false
`, filepath.Join(runDir, "work", "containerd"), filepath.Join(runDir, "containerd"), containerdSocket,
		pauseImage, bin, cni, filepath.Join(bin, "runc"))
}

// podNetwork puts every pod on one bridge. Their default route ends at the node,
// which has none.
func podNetwork() map[string]any {
	return map[string]any{
		"cniVersion": "1.0.0",
		"name":       "pods",
		"plugins": []any{map[string]any{
			"type":        "bridge",
			"bridge":      "cni0",
			"isGateway":   true,
			"hairpinMode": true, // a pod may meet itself behind its own Service
			"ipam": map[string]any{
				"type":    "host-local",
				"dataDir": filepath.Join(runDir, "cni"),
				"ranges":  []any{[]any{map[string]any{"subnet": podRange.String()}}},
				"routes":  []any{map[string]any{"dst": "0.0.0.0/0"}},
			},
		}},
	}
}

func (n *node) kubeletConfig() map[string]any {
	return map[string]any{
		"apiVersion":               "kubelet.config.k8s.io/v1beta1",
		"kind":                     "KubeletConfiguration",
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": n.ca.File("ca.crt")},
		},
		"authorization":     map[string]any{"mode": "Webhook"},
		"tlsCertFile":       n.ca.File("kubelet.crt"),
		"tlsPrivateKeyFile": n.ca.File("kubelet.key"),
		"cgroupDriver":      "cgroupfs",
		"cgroupRoot":        "/" + n.state.cgroup(), // two kubelets on a machine must not share one
		"failCgroupV1":      false,
		"failSwapOn":        false,
		"oomScoreAdj":       0,
		"maxPods":           250,
		"kubeAPIQPS":        200,
		"kubeAPIBurst":      400,
		// A developer's disk is often nearly full, and images cannot be fetched again.
		"evictionHard": map[string]string{
			"memory.available": "1Mi", "nodefs.available": "1Mi", "imagefs.available": "1Mi", "nodefs.inodesFree": "1",
		},
		"imageGCHighThresholdPercent":   100,
		"imageGCLowThresholdPercent":    99,
		"localStorageCapacityIsolation": false,
		"nodeStatusUpdateFrequency":     "5s",
		"resolvConf":                    "", // there is no DNS inside
		"podLogsDir":                    filepath.Join(runDir, "pods"),
		"volumePluginDir":               filepath.Join(runDir, "volume-plugins"),
		"serializeImagePulls":           false,
		"shutdownGracePeriod":           "0s",
		"logging":                       map[string]any{"verbosity": 1},
	}
}

func (n *node) proxyConfig(kubeconfig string) map[string]any {
	return map[string]any{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"clientConnection":   map[string]any{"kubeconfig": kubeconfig, "qps": 50, "burst": 100},
		"hostnameOverride":   nodeName,
		"clusterCIDR":        podRange.String(),
		"mode":               "nftables",
		"metricsBindAddress": "127.0.0.1:10249",
		// The default waits a second between two changes: a switch would seem slow.
		"nftables":  map[string]any{"minSyncPeriod": "50ms", "masqueradeAll": !bridgeFiltered()},
		"conntrack": map[string]any{"maxPerCore": 0, "min": 0}, // those belong to the machine
	}
}
