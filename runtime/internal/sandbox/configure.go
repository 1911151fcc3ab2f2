// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"strings"
	"time"

	criruntime "k8s.io/cri-api/pkg/apis/runtime/v1"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/record"
	"hypernetes.org/runtime/internal/sysctl"
)

// dns is the configuration of a pod's resolver.
type dns struct {
	servers, search, options []string
}

// resolver uses the sandbox record if it names servers (the tenant's network has
// priority), else what the kubelet derived from dnsPolicy.
func resolver(found record.Record, pod *criruntime.PodSandboxConfig) dns {
	config := pod.GetDnsConfig()
	if len(found.NameServers) == 0 {
		return dns{config.GetServers(), config.GetSearches(), config.GetOptions()}
	}
	servers := make([]string, 0, len(found.NameServers))
	for _, server := range found.NameServers {
		servers = append(servers, server.String())
	}
	return dns{servers, found.Search, config.GetOptions()}
}

// file is the text of resolv.conf(5).
func (d dns) file() string {
	var text strings.Builder
	if len(d.search) > 0 {
		fmt.Fprintf(&text, "search %s\n", strings.Join(d.search, " "))
	}
	for _, server := range d.servers {
		fmt.Fprintf(&text, "nameserver %s\n", server)
	}
	if len(d.options) > 0 {
		fmt.Fprintf(&text, "options %s\n", strings.Join(d.options, " "))
	}
	return text.String()
}

func guestConfiguration(found record.Record, pod *criruntime.PodSandboxConfig, now time.Time) (*guestv1.ConfigureRequest, error) {
	nic := &guestv1.Interface{Mac: found.MAC, Name: "eth0", Mtu: uint32(found.MTU)}
	for _, address := range found.Addresses {
		nic.Addresses = append(nic.Addresses, address.String())
	}
	for _, route := range found.Routes {
		nic.Routes = append(nic.Routes, &guestv1.Route{Destination: route.Destination.String(), Gateway: route.Gateway.String()})
	}
	sysctls := map[string]string{}
	for name, value := range pod.GetLinux().GetSysctls() {
		name = strings.ReplaceAll(name, "/", ".") // sysctl.d(5) allows both
		if !sysctl.OfPod(name) {
			return nil, fmt.Errorf("sysctl %q is not one of a pod", name)
		}
		sysctls[name] = value
	}
	return &guestv1.ConfigureRequest{
		Hostname: hostname(pod), Interfaces: []*guestv1.Interface{nic},
		Sysctls: sysctls, TimeUnixNano: now.UnixNano(),
	}, nil
}

// hostname is the pod's; the kubelet omits it only for hostNetwork.
func hostname(pod *criruntime.PodSandboxConfig) string {
	if name := pod.GetHostname(); name != "" {
		return name
	}
	return pod.GetMetadata().GetName()
}
