// SPDX-License-Identifier: Apache-2.0

//go:build boot

package boottest

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/vmm"
)

const guestMAC = "fa:16:3e:12:34:56"

// podNetwork is a network namespace with a tap, as the agent makes it. Functions
// given to do run inside.
type podNetwork struct {
	path string
	tap  *os.File
	work chan func()
}

func newPodNetwork(t *testing.T) *podNetwork {
	t.Helper()
	n := &podNetwork{work: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		ready <- n.make()
		for job := range n.work {
			job()
		}
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = n.tap.Close()
		close(n.work)
	})
	return n
}

func (n *podNetwork) make() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	n.path = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
	link := &netlink.Tuntap{
		LinkAttrs: netlink.LinkAttrs{Name: "tap0"}, Mode: netlink.TUNTAP_MODE_TAP,
		Flags: netlink.TUNTAP_NO_PI | netlink.TUNTAP_VNET_HDR, Queues: 1,
	}
	if err := netlink.LinkAdd(link); err != nil {
		return err
	}
	n.tap = link.Fds[0]
	address, err := netlink.ParseAddr("10.9.0.1/24")
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, address); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

func (n *podNetwork) do(job func()) {
	done := make(chan struct{})
	n.work <- func() { defer close(done); job() }
	<-done
}

func TestTheMonitorIsConfinedAndThePodIsReachable(t *testing.T) {
	network := newPodNetwork(t)
	spec := specification(t)
	spec.NetnsPath = network.path
	spec.NIC = &vmm.NIC{Tap: network.tap, MAC: guestMAC, MTU: 1442}
	layer := layerDisk(t)
	spec.Disks = []vmm.Disk{layer}
	p := &pod{guest: boot(t, spec), t: t, layer: layer}
	confined(t, p.PID(), network.path)

	_, err := p.api.Configure(t.Context(), &guestv1.ConfigureRequest{
		Hostname: "reachable",
		Interfaces: []*guestv1.Interface{{
			Mac: guestMAC, Mtu: 1442, Addresses: []string{"10.9.0.5/24"},
			Routes: []*guestv1.Route{{Destination: "0.0.0.0/0", Gateway: "10.9.0.1"}},
		}},
		Sysctls: map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"},
	})
	p.must(err)
	p.create(&guestv1.CreateContainerRequest{Id: "server"}, "/payload", "serve", ":80")
	out := p.stream("server", "", 1)
	p.start("server", "")
	word := make([]byte, len("serving\n"))
	_, err = io.ReadFull(out, word)
	p.must(err)
	network.do(func() {
		conn, err := net.DialTimeout("tcp", "10.9.0.5:80", 20*time.Second)
		if err != nil {
			t.Error("the pod does not answer:", err)
			return
		}
		defer conn.Close()
		// More than one segment, so that a missing checksum or a large segment shows.
		sent := strings.Repeat("0123456789", 20000)
		go func() {
			_, _ = io.WriteString(conn, sent) // what is lost is missed below
			_ = conn.(*net.TCPConn).CloseWrite()
		}()
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		got, err := io.ReadAll(conn)
		if err != nil || string(got) != sent {
			t.Errorf("sent %d bytes, got back %d: %v", len(sent), len(got), err)
		}
	})
	stats, err := p.api.Stats(t.Context(), &guestv1.ContainerRequest{Id: "server"})
	p.must(err)
	if len(stats.Interfaces) != 1 || stats.Interfaces[0].RxBytes < 200000 {
		t.Errorf("interface counters: %v", stats.Interfaces)
	}
	p.end("server")
}

// confined looks at QEMU from outside, every thread of it.
func confined(t *testing.T, pid int, netns string) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatal("no threads", err)
	}
	user := fmt.Sprintf("%d\t%d\t%d\t%d", testUser, testUser, testUser, testUser)
	want := map[string]string{
		"Uid": user, "Gid": user, "Groups": "", "NoNewPrivs": "1", "Seccomp": "2",
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none,
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // it ended meanwhile
		}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, ":")
			if expected, ok := want[key]; ok && strings.TrimSpace(value) != expected {
				t.Errorf("%s: %s is %q, want %q", thread, key, strings.TrimSpace(value), expected)
			}
		}
	}
	inside, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		t.Fatal(err)
	}
	if pods, err := os.Readlink(netns); err != nil || inside != pods {
		t.Errorf("the monitor is in %s, the pod in %s (%v)", inside, pods, err)
	}
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || string(environment) != "PATH=/usr/bin:/bin\x00" {
		t.Errorf("environment %q (%v)", environment, err)
	}
}

const none = "0000000000000000"
