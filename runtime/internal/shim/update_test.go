// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"runtime"
	"testing"

	sandboxapi "github.com/containerd/containerd/api/runtime/sandbox/v1"
	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"google.golang.org/protobuf/types/known/anypb"

	"hypernetes.org/runtime/internal/fakeguest"
)

// updates sends a pod's new limits as containerd's CRI does.
func (f *fixture) updates(limits string) error {
	_, err := f.UpdateSandbox(f.t.Context(), &sandboxapi.UpdateSandboxRequest{SandboxID: id, Fields: []string{"extensions"},
		Sandbox: &types.Sandbox{Extensions: map[string]*anypb.Any{"updated-resources": {Value: []byte(limits)}}}})
	return errgrpc.ToNative(err)
}

func TestAMachineThatCannotGrowRefusesLargerLimits(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.boot() // with 256 MiB and one CPU
	must(t, f.container("c1", nil))
	for limits, fits := range map[string]bool{
		`{"Overhead":null,"Resources":{"memory_limit_in_bytes":268435456,"cpu_quota":50000,"cpu_period":100000}}`: true,
		`{"Resources":{"memory_limit_in_bytes":134217728}}`:                                                       true,
		`{"Resources":{}}`: true,
		`{"Resources":{"memory_limit_in_bytes":268435457}}`:                 false,
		`{"Resources":{"cpu_quota":9223372036854775807,"cpu_period":1000}}`: runtime.NumCPU() == 1,
	} {
		if err := f.updates(limits); (err == nil) != fits || (err != nil && !errdefs.IsFailedPrecondition(err)) {
			t.Errorf("the pod's limits %s: %v", limits, err)
		}
	}
	for limits, fits := range map[string]bool{
		`{"memory":{"limit":268435456}}`: true, `{"cpu":{"cpus":"0"}}`: true, `{"memory":{"limit":-1}}`: true,
		`{"memory":{"limit":536870912}}`: false,
	} {
		_, err := f.tasks.Update(t.Context(), &taskapi.UpdateTaskRequest{ID: "c1", Resources: &anypb.Any{Value: []byte(limits)}})
		if err := errgrpc.ToNative(err); (err == nil) != fits || (err != nil && !errdefs.IsFailedPrecondition(err)) {
			t.Errorf("a container's limits %s: %v", limits, err)
		}
	}
	if _, err := f.UpdateSandbox(t.Context(), &sandboxapi.UpdateSandboxRequest{SandboxID: id}); err != nil {
		t.Errorf("an update without limits: %v", err)
	}
}

func TestLimitsAndStatistics(t *testing.T) {
	f := newFixture(t, fakeguest.New())
	f.boot()
	must(t, f.container("c1", nil))
	_, err := f.tasks.Update(t.Context(), &taskapi.UpdateTaskRequest{ID: "c1",
		Resources: &anypb.Any{Value: []byte(`{"memory":{"limit":1000},"devices":[{"allow":true,"access":"rwm"}]}`)}})
	must(t, err)
	if !f.guest.Called(`Update {"memory":{"limit":1000}}`) {
		t.Errorf("calls %q", f.guest.Calls)
	}
	answer, err := f.tasks.Stats(t.Context(), &taskapi.StatsRequest{ID: "c1"})
	must(t, err)
	if answer.GetStats().GetTypeUrl() != "io.containerd.cgroups.v2.Metrics" {
		t.Errorf("type %q", answer.GetStats().GetTypeUrl())
	}
}
