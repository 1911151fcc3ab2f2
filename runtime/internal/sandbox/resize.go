// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"

	"github.com/containerd/errdefs"
	criruntime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"hypernetes.org/runtime/internal/size"
)

// CheckLimits refuses limits, of the pod or of one of its containers, that the
// running machine is too small for. It cannot grow; the kubelet would otherwise
// report a resize that did not happen.
func (s *Sandbox) CheckLimits(limits *criruntime.LinuxContainerResources) error {
	wanted := size.ForPod(&criruntime.LinuxPodSandboxConfig{Resources: limits}, size.Machine{}, s.host.Config, node())
	if limits.GetMemoryLimitInBytes() <= 0 {
		wanted.Containers = 0 // none is stated: the machine is the bound, as before
	}
	if wanted.Containers <= s.size.Containers && wanted.CPUs <= s.size.CPUs {
		return nil
	}
	return fmt.Errorf("the limits need a machine of %d MiB and %d CPUs, the pod's has %d MiB and %d CPUs and cannot grow: "+
		"make a new pod: %w", wanted.Containers>>20, wanted.CPUs, s.size.Containers>>20, s.size.CPUs, errdefs.ErrFailedPrecondition)
}
