// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	criruntime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"hypernetes.org/runtime/internal/record"
)

func found(servers ...netip.Addr) record.Record {
	return record.Record{MAC: "fa:16:3e:00:00:01", MTU: 1442, NameServers: servers, Search: []string{"red.example"},
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/24")},
		Routes:    []record.Route{{Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.0.1")}}}
}

func podConfig(sysctls map[string]string) *criruntime.PodSandboxConfig {
	return &criruntime.PodSandboxConfig{
		Metadata:  &criruntime.PodSandboxMetadata{Name: "p"},
		DnsConfig: &criruntime.DNSConfig{Servers: []string{"10.96.0.10"}, Searches: []string{"svc"}, Options: []string{"ndots:5"}},
		Linux:     &criruntime.LinuxPodSandboxConfig{Sysctls: sysctls},
	}
}

func TestTheGuestGetsThePodsNetwork(t *testing.T) {
	got, err := guestConfiguration(found(), podConfig(map[string]string{"net/ipv4/ping_group_range": "0 1"}), time.Unix(0, 42))
	if err != nil {
		t.Fatal(err)
	}
	nic := got.GetInterfaces()[0]
	if nic.GetAddresses()[0] != "10.0.0.5/24" || nic.GetRoutes()[0].GetGateway() != "10.0.0.1" || nic.GetMtu() != 1442 ||
		got.GetHostname() != "p" || got.GetTimeUnixNano() != 42 || got.GetSysctls()["net.ipv4.ping_group_range"] != "0 1" {
		t.Fatalf("got %v", got)
	}
}

func TestOnlyAPodsSysctlsAreSet(t *testing.T) {
	for name, allowed := range map[string]bool{
		"net.core.somaxconn": true, "kernel.shm_rmid_forced": true, "kernel.msgmax": true, "kernel.sem": true, "fs.mqueue.msg_max": true,
		"kernel.panic": false, "kernel.semaphore": false, "vm.swappiness": false, "": false,
	} {
		if _, err := guestConfiguration(found(), podConfig(map[string]string{name: "1"}), time.Now()); (err == nil) != allowed {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestTheTenantsNameServersWin(t *testing.T) {
	if got, want := resolver(found(), podConfig(nil)).file(), "search svc\nnameserver 10.96.0.10\noptions ndots:5\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	own := resolver(found(netip.MustParseAddr("10.0.0.2")), podConfig(nil)).file()
	if want := "search red.example\nnameserver 10.0.0.2\noptions ndots:5\n"; own != want {
		t.Errorf("got %q, want %q", own, want)
	}
}

func TestAMonitorsMessagesAreBounded(t *testing.T) {
	lines, bytes := 0, 0
	logMessages(strings.NewReader(strings.Repeat(strings.Repeat("x", 100)+"\n", 10000)), func(line string) { lines++; bytes += len(line) })
	if bytes > maxMessages || lines == 0 {
		t.Errorf("%d lines, %d bytes", lines, bytes)
	}
	logMessages(strings.NewReader(strings.Repeat("x", maxMessages)), func(string) { t.Error("an endless line was logged") })
}
