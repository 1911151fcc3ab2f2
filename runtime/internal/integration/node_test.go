// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"hypernetes.org/runtime/internal/disk"
)

const (
	socket = "/run/containerd/containerd.sock"
	image  = "docker.io/library/busybox:latest"
)

// node is a containerd and the two faces of CRI.
type node struct {
	process *exec.Cmd
	conn    *grpc.ClientConn
	runtime cri.RuntimeServiceClient
	log     *lockedBuffer
	// importing is how images are imported: nil as an operator does, with no option.
	importing []string
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func dist(name string) string { return filepath.Join(os.Getenv("HYPERNETES_DIST"), "bin", name) }

// within bounds a step of a test.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits for a condition with a deadline.
func eventually(t *testing.T, what string, limit time.Duration, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !met(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// newNode starts containerd and has the image.
func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{log: &lockedBuffer{}}
	n.start(t)
	t.Cleanup(func() {
		n.removeAll(t)
		n.kill(t)
		if t.Failed() {
			t.Log(n.log.String())
		}
	})
	n.load(t)
	return n
}

func (n *node) start(t *testing.T) {
	t.Helper()
	config, err := filepath.Abs("testdata/containerd.toml")
	if err != nil {
		t.Fatal(err)
	}
	n.process = exec.Command(dist("containerd"), "-c", config)
	n.process.Env = append(os.Environ(), "PATH="+filepath.Join(os.Getenv(innerEnv), "bin")+":"+os.Getenv("PATH"))
	n.process.Stderr = n.log
	if err := n.process.Start(); err != nil {
		t.Fatal(err)
	}
	n.conn, err = grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	n.runtime = cri.NewRuntimeServiceClient(n.conn)
	eventually(t, "containerd is ready", 30*time.Second, func() bool {
		status, err := n.runtime.Status(within(t, 5*time.Second), &cri.StatusRequest{})
		if err != nil {
			return false
		}
		for _, condition := range status.GetStatus().GetConditions() {
			if !condition.GetStatus() && (condition.GetType() == "RuntimeReady" || condition.GetType() == "NetworkReady") {
				return false
			}
		}
		return true
	})
}

// kill kills containerd with SIGKILL.
func (n *node) kill(t *testing.T) {
	t.Helper()
	_ = n.conn.Close()
	if err := n.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = n.process.Wait()
}

func (n *node) load(t *testing.T) {
	t.Helper()
	n.importLayout(t, filepath.Join(os.Getenv("HYPERNETES_DIST"), "images/library/busybox"), image)
}

// importLayout gives containerd the image of an OCI layout.
func (n *node) importLayout(t *testing.T, layout, image string) {
	t.Helper()
	tar := filepath.Join(t.TempDir(), "image.tar")
	if out, err := exec.Command("tar", "-C", layout, "-cf", tar, ".").CombinedOutput(); err != nil {
		t.Fatalf("pack the image: %v: %s", err, out)
	}
	arguments := append([]string{"images", "import"}, n.importing...)
	n.ctr(t, append(arguments, "--index-name", image, tar)...)
	eventually(t, "CRI knows the image", 10*time.Second, func() bool {
		answer, err := cri.NewImageServiceClient(n.conn).ImageStatus(within(t, 5*time.Second),
			&cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: image}})
		return err == nil && answer.GetImage() != nil
	})
}

func (n *node) ctr(t *testing.T, arguments ...string) {
	t.Helper()
	cmd := exec.CommandContext(within(t, time.Minute), dist("ctr"), append([]string{"-n", "k8s.io"}, arguments...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ctr %v: %v: %s", arguments, err, out)
	}
}

// removeAll removes every pod, as the kubelet's garbage collection does.
func (n *node) removeAll(t *testing.T) {
	t.Helper()
	pods, err := n.runtime.ListPodSandbox(within(t, 10*time.Second), &cri.ListPodSandboxRequest{})
	if err != nil {
		t.Errorf("list the pods: %v", err)
		return
	}
	for _, pod := range pods.GetItems() {
		if _, err := n.runtime.RemovePodSandbox(within(t, time.Minute), &cri.RemovePodSandboxRequest{PodSandboxId: pod.GetId()}); err != nil {
			t.Errorf("remove pod %s: %v", pod.GetId(), err)
		}
	}
}

// processes lists the command lines that hold a word.
func processes(t *testing.T, word string) map[string]string {
	t.Helper()
	found := map[string]string{}
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil && bytes.Contains(text, []byte(word)) {
			found[filepath.Base(filepath.Dir(path))] = strings.ReplaceAll(string(text), "\x00", " ")
		}
	}
	return found
}

// leftovers names all that pods could have left on the node.
func leftovers(t *testing.T) []string {
	t.Helper()
	var left []string
	for _, word := range []string{"qemu-system", "containerd-shim-hyper"} {
		for pid, line := range processes(t, word) {
			left = append(left, fmt.Sprintf("process %s: %.80s", pid, line))
		}
	}
	for _, pattern := range []string{
		"/run/hypernetes/vm/[^.]*", "/run/hypernetes/sandboxes/*", "/run/containerd/s/*",
		"/var/lib/containerd/io.containerd.snapshotter.v1.erofs/snapshots/*/fs/" + disk.ScratchName,
		"/sys/fs/cgroup/*/" + cgroupParent + "/hyper-*", "/sys/class/net/tap*", "/run/containerd/io.containerd.*/k8s.io/*", "/run/netns/*",
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, paths...)
	}
	return left
}

// nothingLeft fails unless all traces of pods go within some seconds.
func nothingLeft(t *testing.T) {
	t.Helper()
	var left []string
	for range 50 {
		if left = leftovers(t); len(left) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("left behind: %s", strings.Join(left, "\n"))
}
