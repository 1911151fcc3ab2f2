// SPDX-License-Identifier: Apache-2.0

//go:build boot

package boottest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/vmm"
)

const (
	cluster = "10.96.0.9" // a Service's address
	podIP   = "10.9.0.5"
)

// names serves TCP and UDP at a port of the host's end of the pod's network. It answers
// each line with its name.
func (n *podNetwork) names(t *testing.T, port int, name string) {
	t.Helper()
	n.do(func() {
		address := fmt.Sprintf("10.9.0.1:%d", port)
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					for lines := bufio.NewScanner(conn); lines.Scan(); {
						_, _ = fmt.Fprintln(conn, name)
					}
				}()
			}
		}()
		packets, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = packets.Close() })
		go func() {
			buffer := make([]byte, 1024)
			for {
				_, from, err := packets.ReadFrom(buffer)
				if err != nil {
					return
				}
				_, _ = packets.WriteTo([]byte(name+"\n"), from)
			}
		}()
	})
}

func servicePort(protocol, port uint32, endpoints ...string) *guestv1.ServicePort {
	made := &guestv1.ServicePort{Address: cluster, Protocol: protocol, Port: port}
	for _, text := range endpoints {
		at := netip.MustParseAddrPort(text)
		made.Endpoints = append(made.Endpoints, &guestv1.ServiceEndpoint{Address: at.Addr().String(), Port: uint32(at.Port())})
	}
	return made
}

func servicesOf(ports ...*guestv1.ServicePort) *guestv1.Services {
	return &guestv1.Services{Ranges: []string{"10.96.0.0/16"}, Ports: ports}
}

// client is a container that asks servers by exec.
type client struct {
	*pod
	count int
}

// ask returns what a server answers, or the error that the program saw.
func (c *client) ask(network, address, from string) string {
	c.t.Helper()
	c.count++
	got, _ := c.exec("client", fmt.Sprintf("ask-%d", c.count), "/payload", "ask", network, address, from)
	return strings.TrimSpace(got)
}

func (c *client) set(table *guestv1.Services) time.Duration {
	c.t.Helper()
	begin := time.Now()
	_, err := c.api.SetServices(c.t.Context(), table)
	c.must(err)
	return time.Since(begin)
}

func TestServicesInANetworkWithoutAGateway(t *testing.T) {
	c := newClient(t, nil, servicesOf(servicePort(unix.IPPROTO_TCP, 80, "10.9.0.1:8001"), servicePort(unix.IPPROTO_UDP, 80, "10.9.0.1:8001")))
	c.want("one", "tcp", ":80")
	c.want("one", "udp", ":80")
	c.refused("tcp", cluster+":81")
	c.refused("tcp", "10.96.0.1:443")
}

// newClient is a container in a pod's machine with a table from the start, and two
// servers, "one" and "two", at the host's end of its network.
func newClient(t *testing.T, routes []*guestv1.Route, table *guestv1.Services) *client {
	t.Helper()
	network := newPodNetwork(t)
	spec := specification(t)
	spec.NetnsPath = network.path
	spec.NIC = &vmm.NIC{Tap: network.tap, MAC: guestMAC, MTU: 1442}
	layer := layerDisk(t)
	spec.Disks = []vmm.Disk{layer}
	c := &client{pod: &pod{guest: boot(t, spec), t: t, layer: layer}}
	network.names(t, 8001, "one")
	network.names(t, 8002, "two")
	begin := time.Now()
	_, err := c.api.Configure(t.Context(), &guestv1.ConfigureRequest{
		Hostname: "client",
		Interfaces: []*guestv1.Interface{{
			Mac: guestMAC, Mtu: 1442, Addresses: []string{podIP + "/24"}, Routes: routes,
		}},
		Services: table,
	})
	c.must(err)
	t.Logf("Configure with Services: %s", time.Since(begin))
	c.create(&guestv1.CreateContainerRequest{Id: "client"}, "/payload", "hold")
	c.start("client", "")
	return c
}

func TestServices(t *testing.T) {
	c := newClient(t, []*guestv1.Route{{Destination: "0.0.0.0/0", Gateway: "10.9.0.1"}}, servicesOf(
		servicePort(unix.IPPROTO_TCP, 80, "10.9.0.1:8001", "10.9.0.1:8002"), servicePort(unix.IPPROTO_UDP, 53, "10.9.0.1:8001"),
		servicePort(unix.IPPROTO_TCP, 81), servicePort(unix.IPPROTO_TCP, 82, podIP+":9000")))
	for _, part := range []struct {
		name string
		test func(*client)
	}{
		{"each endpoint answers", balanced},
		{"a small machine tracks as many connections as a node", tracked},
		{"UDP is answered", func(c *client) { c.want("one", "udp", ":53") }},
		{"a port that the Service does not have is refused", func(c *client) { c.refused("tcp", cluster+":83") }},
		{"the other protocol is refused", func(c *client) { c.refused("udp", cluster+":80") }},
		{"a Service without endpoints is refused", func(c *client) { c.refused("tcp", cluster+":81") }},
		{"an address of no Service is refused", func(c *client) { c.refused("tcp", "10.96.0.1:443") }},
		{"a pod reaches itself by its Service", itself},
		{"an open connection stays when the table changes", kept},
		{"UDP follows its endpoint", followed},
		{"a deleted Service is refused", deleted},
		{"a thousand Services", many},
	} {
		t.Run(part.name, func(t *testing.T) {
			q := *c.pod
			q.t = t
			c := &client{pod: &q, count: c.count}
			part.test(c)
		})
		c.count += 100
	}
}

func (c *client) want(answer, network, port string) {
	c.t.Helper()
	if got := c.ask(network, cluster+port, "0"); got != answer {
		c.t.Errorf("%s%s answers %q, want %q", network, port, got, answer)
	}
}

func (c *client) refused(network, address string) {
	c.t.Helper()
	if got := c.ask(network, address, "0"); !strings.HasSuffix(got, refusal(network)) {
		c.t.Errorf("%s %s: %q", network, address, got)
	}
}

// refusal is what a program sees. The kernel answers a datagram that it refuses on its
// way out with EPERM, before the ICMP message is read.
func refusal(network string) string {
	if network == "udp" {
		return "operation not permitted"
	}
	return "connection refused"
}

func balanced(c *client) {
	seen := map[string]int{}
	for range 12 {
		seen[c.ask("tcp", cluster+":80", "0")]++
	}
	if len(seen) != 2 || seen["one"] == 0 || seen["two"] == 0 {
		c.t.Errorf("answers: %v", seen)
	}
}

func tracked(c *client) {
	if got, _ := c.exec("client", "tracked", "/payload", "print", "/proc/sys/net/netfilter/nf_conntrack_max"); got != "131072\n" {
		c.t.Errorf("at most %q connections are tracked", got)
	}
}

func itself(c *client) {
	c.create(&guestv1.CreateContainerRequest{Id: "server"}, "/payload", "serve", ":9000")
	out := c.stream("server", "", 1)
	c.start("server", "")
	_, err := io.ReadFull(out, make([]byte, len("serving\n")))
	c.must(err)
	c.want("hello", "tcp", ":82")
}

func kept(c *client) {
	c.set(servicesOf(servicePort(unix.IPPROTO_TCP, 80, "10.9.0.1:8001")))
	process := specs.Process{Args: []string{"/payload", "talk", "tcp", cluster + ":80"}, Cwd: "/"}
	c.create(&guestv1.CreateContainerRequest{Id: "talk", Spec: c.specOf(process), Stdin: true})
	in, out := c.stream("talk", "", 0), c.stream("talk", "", 1)
	c.start("talk", "")
	answers := bufio.NewReader(out)
	for range 3 {
		_, err := io.WriteString(in, "hello\n")
		c.must(err)
		if got, err := answers.ReadString('\n'); err != nil || got != "one\n" {
			c.t.Fatalf("%q, %v", got, err)
		}
		c.set(servicesOf(servicePort(unix.IPPROTO_TCP, 80, "10.9.0.1:8002")))
	}
	c.must(in.Close())
	c.want("two", "tcp", ":80")
}

func followed(c *client) {
	for _, next := range []struct{ at, name string }{{"10.9.0.1:8001", "one"}, {"10.9.0.1:8002", "two"}, {"10.9.0.1:8001", "one"}} {
		c.set(servicesOf(servicePort(unix.IPPROTO_UDP, 53, next.at)))
		// From one port, so that the kernel takes it for the same flow.
		if got := c.ask("udp", cluster+":53", "4000"); got != next.name {
			c.t.Errorf("%q answers, want %q", got, next.name)
		}
	}
}

func deleted(c *client) {
	c.set(servicesOf(servicePort(unix.IPPROTO_TCP, 80, "10.9.0.1:8001"), servicePort(unix.IPPROTO_UDP, 53, "10.9.0.1:8001")))
	c.want("one", "tcp", ":80")
	if got := c.ask("udp", cluster+":53", "4001"); got != "one" {
		c.t.Errorf("%q answers", got)
	}
	c.set(servicesOf())
	c.refused("tcp", cluster+":80")
	if got := c.ask("udp", cluster+":53", "4001"); !strings.HasSuffix(got, refusal("udp")) {
		c.t.Errorf("UDP: %q", got)
	}
}

func many(c *client) {
	table := servicesOf(servicePort(unix.IPPROTO_TCP, 80, "10.9.0.1:8001"))
	for i := range 1000 {
		port := servicePort(unix.IPPROTO_TCP, 80, "10.9.0.1:8001", "10.9.0.1:8002")
		port.Address = netip.AddrFrom4([4]byte{10, 96, byte(4 + i/250), byte(1 + i%250)}).String()
		table.Ports = append(table.Ports, port)
	}
	c.t.Logf("set a thousand Services with two thousand endpoints: %s, again: %s", c.set(table), c.set(table))
	c.want("one", "tcp", ":80")
	if got := c.ask("tcp", "10.96.7.250:80", "0"); got != "one" && got != "two" {
		c.t.Errorf("the last one answers %q", got)
	}
	c.t.Logf("set one Service: %s", c.set(servicesOf(servicePort(unix.IPPROTO_TCP, 80, "10.9.0.1:8001"))))
}
