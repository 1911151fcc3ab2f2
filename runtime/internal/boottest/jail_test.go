// SPDX-License-Identifier: Apache-2.0

//go:build boot

package boottest

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hypernetes.org/runtime/internal/cgroup"
	"hypernetes.org/runtime/internal/vmm/qemu"
)

// seen is what a monitor finds around itself.
type seen struct {
	PID       int
	Cgroup    string   // /proc/self/cgroup, read as early as a program can
	Files     []string // all of its root but libraries and firmware
	Processes []string // entries of /proc that are processes
	System    []string // entries of /proc that are not
	Hostname  string
	Core      uint64 // the limit of core files
}

// In a monitor's place, this program reports what it sees and exits.
func init() {
	if len(os.Args) < 2 || os.Args[1] != "-name" {
		return
	}
	// Before anything else: an instruction later a parent could have moved it.
	group, _ := os.ReadFile("/proc/self/cgroup")
	found := seen{PID: os.Getpid(), Cgroup: string(group)}
	found.Hostname, _ = os.Hostname()
	var limit unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_CORE, &limit)
	found.Core = limit.Max
	_ = filepath.WalkDir("/", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case strings.HasPrefix(path, "/proc/"):
			if _, err := os.Stat(path + "/status"); err == nil {
				found.Processes = append(found.Processes, entry.Name())
			} else {
				found.System = append(found.System, entry.Name())
			}
			return skip(entry)
		case slices.Contains([]string{"/usr/lib", "/usr/lib64", "/usr/share/qemu", "/usr/share/seabios"}, path):
			return skip(entry)
		case len(found.Files) > 100:
			return fs.SkipAll // it sees too much as it is
		case err == nil && !entry.IsDir():
			found.Files = append(found.Files, path)
		}
		return nil
	})
	_ = json.NewEncoder(os.Stderr).Encode(found)
	os.Exit(0)
}

func skip(entry fs.DirEntry) error {
	if entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// look starts this program in a monitor's place and returns what it saw.
func look(t *testing.T, id string, groups []string) seen {
	t.Helper()
	spec := specification(t)
	spec.ID = id
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	report, err := os.Create(filepath.Join(t.TempDir(), "report"))
	if err != nil {
		t.Fatal(err)
	}
	defer report.Close()
	spec.Executable, spec.Stderr, spec.Cgroups = self, report, groups
	spec.UID = uint32(1<<20 + os.Getpid()) // no other test's: of its own user it may see all processes
	if _, err := qemu.New().Start(t.Context(), spec); err == nil {
		t.Fatal("a program that says nothing was taken for a monitor")
	}
	text, err := os.ReadFile(report.Name())
	if err != nil {
		t.Fatal(err)
	}
	var found seen
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	return found
}

func TestTheMonitorSeesNothingOfTheHost(t *testing.T) {
	found := look(t, "look", nil)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{self, "/etc/ld.so.cache", "/lib", "/lib64", "/guest/initramfs", "/guest/manifest.json", "/guest/root.erofs", "/guest/vmlinux"}
	for _, file := range found.Files {
		if !slices.Contains(allowed, file) {
			t.Errorf("it sees %s", file)
		}
	}
	for _, file := range allowed[4:] {
		if !slices.Contains(found.Files, file) {
			t.Errorf("it does not see %s", file)
		}
	}
	if found.PID != 1 {
		t.Errorf("its process ID is %d: it shares the host's", found.PID)
	}
	// "self", "thread-self" and its own number in the host's namespace.
	if len(found.Processes) != 3 || len(found.System) != 0 {
		t.Errorf("in /proc it sees the processes %v and %v", found.Processes, found.System)
	}
	if found.Core > 1 {
		t.Errorf("its core files may have %d bytes", found.Core)
	}
}

func TestTheMonitorIsInItsCgroupsBeforeItRuns(t *testing.T) {
	hierarchies, err := cgroup.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("/boottest-%d", os.Getpid())
	var pods []string
	for _, point := range hierarchies {
		pod := filepath.Join(point, name)
		if err := os.Mkdir(pod, 0o755); err != nil {
			t.Fatal(err)
		}
		pods = append(pods, pod)
	}
	dirs, err := cgroup.Plan(hierarchies, name, "machine")
	if err != nil || len(dirs) != len(hierarchies) {
		t.Fatal(dirs, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := cgroup.Remove(ctx, append(dirs, pods...)); err != nil {
			t.Error(err)
		}
	})
	for _, pod := range pods { // a new version 1 cpuset is empty
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if text, err := os.ReadFile(filepath.Join(filepath.Dir(pod), file)); err == nil {
				_ = os.WriteFile(filepath.Join(pod, file), text, 0)
			}
		}
	}
	if err := cgroup.Create(dirs); err != nil {
		t.Fatal(err)
	}
	// While the machine's cgroup is frozen, nothing in it gets as far as another
	// program: a monitor that is moved there later does.
	freeze(t, dirs, "1", "FROZEN")
	thaw := sync.OnceFunc(func() { freeze(t, dirs, "0", "THAWED") })
	defer thaw()
	found := make(chan seen, 1)
	go func() { found <- look(t, name[1:], dirs) }()
	time.Sleep(time.Second)
	if out, err := exec.CommandContext(t.Context(), "pgrep", "-fx", ".* -name hypernetes-"+name[1:]+" .*").Output(); err == nil {
		t.Errorf("outside of its cgroups the monitor runs already: %s", out)
	}
	thaw()
	for line := range strings.Lines((<-found).Cgroup) {
		if !strings.HasSuffix(strings.TrimSpace(line), ":"+name+"/machine") {
			t.Errorf("it is in %s", line)
		}
	}
}

func freeze(t *testing.T, dirs []string, v2, v1 string) {
	t.Helper()
	done := false
	for _, dir := range dirs {
		for file, state := range map[string]string{"cgroup.freeze": v2, "freezer.state": v1} {
			path := filepath.Join(dir, file)
			if _, err := os.Stat(path); err != nil {
				continue
			}
			if err := os.WriteFile(path, []byte(state), 0); err != nil {
				t.Fatal(err)
			}
			done = true
		}
	}
	if !done {
		t.Fatal("no cgroup can be frozen here")
	}
}

// The monitor's user sees no other process by the jail's own /proc, nor would it if
// it could use the host's process IDs.
func TestTheMonitorsUserSeesNoOtherProcess(t *testing.T) {
	g := boot(t, specification(t))
	root := fmt.Sprintf("/proc/%d/root", g.PID())
	asMonitor := func(command string) string {
		out, err := exec.CommandContext(t.Context(), "setpriv", fmt.Sprint("--reuid=", testUser), fmt.Sprint("--regid=", testUser),
			"--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "sh", "-c", command).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", command, err, out)
		}
		return string(out)
	}
	user := fmt.Sprintf("Uid:\t%d\t%d\t%d\t%d", testUser, testUser, testUser, testUser)
	for line := range strings.Lines(asMonitor("cat " + root + "/proc/[0-9]*/status | grep Uid:")) {
		if strings.TrimSpace(line) != user {
			t.Errorf("it sees a process of another user: %s", line)
		}
	}
	if got := strings.Fields(asMonitor("ls " + root)); !slices.Equal(got, []string{"etc", "guest", "lib", "lib64", "proc", "usr"}) {
		t.Errorf("its root holds %v", got)
	}
	asMonitor("! touch " + root + "/x && ! touch " + root + "/guest/x && ! cat " + root + "/proc/meminfo")
	for _, kind := range []string{"mnt", "pid", "ipc", "uts"} {
		inside, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", g.PID(), kind))
		if err != nil {
			t.Fatal(err)
		}
		outside, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			t.Fatal(err)
		}
		if inside == outside {
			t.Errorf("it shares the host's %s namespace", kind)
		}
	}
}
