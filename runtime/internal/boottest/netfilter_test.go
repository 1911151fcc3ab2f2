// SPDX-License-Identifier: Apache-2.0

//go:build boot

package boottest

import (
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
)

// TestAContainerThatMayChangeTheNetworkHasAPacketFilter compares with one that may not.
func TestAContainerThatMayChangeTheNetworkHasAPacketFilter(t *testing.T) {
	p := newPod(t)
	process := specs.Process{Args: []string{"/payload", "masquerade"}, Cwd: "/", Env: p.environment()}
	if got, exit := p.output(&guestv1.CreateContainerRequest{Id: "plain", Spec: p.specOf(process)}); exit.ExitCode == 0 {
		t.Errorf("an ordinary container changed the packet filter: %q", got)
	}
	may := []string{"CAP_NET_ADMIN"}
	process.Capabilities = &specs.LinuxCapabilities{Bounding: may, Effective: may, Permitted: may}
	begin := time.Now()
	got, exit := p.output(&guestv1.CreateContainerRequest{Id: "engine", Spec: p.specOf(process)})
	if exit.ExitCode != 0 || got != "nested\n" {
		t.Errorf("exit %d, tables %q", exit.ExitCode, got)
	}
	t.Logf("from creation to the end of the container: %s", time.Since(begin))
}
