// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// machineDisk is a disk as the kernel has it.
type machineDisk struct {
	unit  int
	shown string
}

// fakeKernel is a kernel beside a host that plugs disks and whose events may be
// lost. Names are given out lowest first and used again, as Linux does.
type fakeKernel struct {
	host  map[int]string // unit -> serial: what is really plugged
	disks map[string]machineDisk
	scans int
	late  map[string]bool // names without a device node yet
}

func newFakeKernel() *fakeKernel {
	return &fakeKernel{host: map[int]string{}, disks: map[string]machineDisk{}, late: map[string]bool{}}
}

// plug attaches a disk at the lowest free unit, as the host does.
func (k *fakeKernel) plug(serial string, heard bool) {
	unit := 1
	for k.host[unit] != "" {
		unit++
	}
	k.host[unit] = serial
	if heard {
		k.add(unit)
	}
}

func (k *fakeKernel) unplug(serial string, heard bool) {
	for unit, there := range k.host {
		if there == serial {
			delete(k.host, unit)
			for name, disk := range k.disks {
				if disk.unit == unit && heard {
					delete(k.disks, name)
				}
			}
		}
	}
}

func (k *fakeKernel) add(unit int) {
	for _, disk := range k.disks {
		if disk.unit == unit {
			return // the kernel does not look at an address it has a disk for
		}
	}
	for letter := 'a'; ; letter++ {
		if name := "sd" + string(letter); k.disks[name].shown == "" {
			k.disks[name] = machineDisk{unit, k.host[unit]}
			return
		}
	}
}

func (k *fakeKernel) scan() error {
	k.scans++
	for unit := range k.host {
		k.add(unit)
	}
	return nil
}

func (k *fakeKernel) names() ([]string, error) {
	var names []string
	for name := range k.disks {
		names = append(names, name)
	}
	return names, nil
}

func (k *fakeKernel) shown(name string) string { return k.disks[name].shown }

func (k *fakeKernel) ask(name string) (string, error) {
	disk, ok := k.disks[name]
	switch {
	case !ok || k.late[name]:
		delete(k.late, name)
		return "", fs.ErrNotExist
	case k.host[disk.unit] == "":
		return "", unix.EIO
	}
	return k.host[disk.unit], nil
}

func (k *fakeKernel) remove(name string) error {
	delete(k.disks, name)
	return nil
}

func (k *fakeKernel) node(name string) string { return "/dev/" + name }

// finds fails unless the disk is found and really is the one.
func finds(t *testing.T, b *bus, k *fakeKernel, serial string) {
	t.Helper()
	node, err := b.find(serial, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.host[k.disks[filepath.Base(node)].unit]; got != serial {
		t.Fatalf("looked for %s, found %s at %s", serial, got, node)
	}
}

func TestTheDisksOfAnotherImageAreFoundUnderTheSameNames(t *testing.T) {
	k := newFakeKernel()
	b := newBus(k)
	for _, serial := range []string{"a1", "a2", "a3"} {
		k.plug(serial, true)
		finds(t, b, k, serial)
	}
	for _, serial := range []string{"a1", "a2", "a3"} {
		if err := b.release(serial); err != nil {
			t.Fatal(err)
		}
		k.unplug(serial, true)
	}
	for _, serial := range []string{"b1", "b2", "b3"} {
		k.plug(serial, true)
		finds(t, b, k, serial)
	}
}

func TestADiskThatChangedBehindItsNameIsReadAgain(t *testing.T) {
	k := newFakeKernel()
	b := newBus(k)
	k.plug("wanted", true)
	k.plug("undone", true)
	finds(t, b, k, "wanted") // "undone" is seen, too, and never taken
	k.unplug("undone", true)
	k.plug("next", true)
	finds(t, b, k, "next")
}

func TestFiftyDisksOfWhichEightAreAnnouncedAreAllFound(t *testing.T) {
	k := newFakeKernel()
	b := newBus(k)
	var serials []string
	for number := range 50 {
		serial := fmt.Sprintf("l%d", number)
		serials = append(serials, serial)
		k.plug(serial, number < 8)
	}
	for _, serial := range serials {
		finds(t, b, k, serial)
	}
	if k.scans != 1 {
		t.Errorf("scanned %d times", k.scans)
	}
}

// A disk whose unplugging was missed keeps its serial in /sys forever.
func TestAnUnpluggedDiskIsNeverFound(t *testing.T) {
	for name, next := range map[string]string{
		"another disk has its address":       "other",
		"it is plugged again":                "gone",
		"it is plugged again somewhere else": "elsewhere",
	} {
		t.Run(name, func(t *testing.T) {
			k := newFakeKernel()
			b := newBus(k)
			k.plug("first", true)
			k.plug("gone", true)
			finds(t, b, k, "first")
			k.unplug("gone", false)
			if next == "elsewhere" {
				k.plug("other", false)
				next = "gone"
			}
			k.plug(next, false)
			finds(t, b, k, next)
		})
	}
}

func TestADiskInUseIsLeftAlone(t *testing.T) {
	k := newFakeKernel()
	b := newBus(k)
	k.plug("used", true)
	finds(t, b, k, "used")
	k.plug("next", false)
	finds(t, b, k, "next")
	if k.disks["sda"].shown != "used" {
		t.Error("a disk in use was removed")
	}
}

func TestADiskWithoutItsNodeIsWaitedFor(t *testing.T) {
	k := newFakeKernel()
	b := newBus(k)
	k.plug("late", true)
	k.late["sda"] = true
	finds(t, b, k, "late")
}

func TestADiskThatNeverComesIsAnError(t *testing.T) {
	if _, err := newBus(newFakeKernel()).find("x", 150*time.Millisecond); err == nil {
		t.Error("found")
	}
}

func TestTheKernelIsAskedThroughSysfs(t *testing.T) {
	s := sysfs{root: t.TempDir(), dev: t.TempDir()}
	for path, text := range map[string]string{
		"class/scsi_host/host0/scan":  "",
		"block/sda/device/vpd_pg80":   "\x00\x80\x00\x05layer",
		"block/sda/device/delete":     "",
		"block/sdaa/device/vpd_pg80":  "\x00\x80\x00\x04many",
		"block/loop0/device/vpd_pg80": "\x00\x80\x00\x04loop",
	} {
		path = filepath.Join(s.root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	names, err := s.names()
	if slices.Sort(names); err != nil || !slices.Equal(names, []string{"sda", "sdaa"}) || s.shown("sda") != "layer" || s.shown("sdaa") != "many" {
		t.Errorf("names %v, %v", names, err)
	}
	if err := errors.Join(s.scan(), s.remove("sda"), s.remove("sdz")); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{"class/scsi_host/host0/scan": "0 0 -", "block/sda/device/delete": "1"} {
		if got, err := os.ReadFile(filepath.Join(s.root, path)); err != nil || string(got) != want {
			t.Errorf("%s has %q, %v", path, got, err)
		}
	}
	if _, err := s.ask("sda"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a disk without a node: %v", err)
	}
}

func TestADiskIsFoundBySerialOnEveryBus(t *testing.T) {
	s := sysfs{root: t.TempDir(), dev: t.TempDir()}
	for path, text := range map[string]string{
		filepath.Join(s.root, "block/sda/device/vpd_pg80"): "\x00\x80\x00\x05layer",
		filepath.Join(s.root, "block/vda/serial"):          "scratch\n",
		filepath.Join(s.root, "block/vdb/size"):            "1",
		filepath.Join(s.root, "block/loop0/serial"):        "loop",
		filepath.Join(s.dev, "vda"):                        "",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	b := newBus(s)
	if node, err := b.find("scratch", time.Second); err != nil || node != filepath.Join(s.dev, "vda") {
		t.Errorf("got %q, %v", node, err)
	}
	if err := b.release("scratch"); err != nil {
		t.Error(err)
	}
	if node, err := b.find("loop", 50*time.Millisecond); err == nil {
		t.Errorf("a loop device is a disk: %q", node)
	}
}

func TestASerialIsReadFromItsPage(t *testing.T) {
	for page, want := range map[string]string{
		"\x00\x80\x00\x05layer":         "layer",
		"\x00\x80\x00\x08layer   ":      "layer",
		"\x00\x80\x00\x05layerx":        "layer",
		"\x00\x83\x00\x05layer":         "",
		"\x00\x80\x00\x06layer":         "",
		"\x00\x80\xff\xff":              "",
		"\x00\x80":                      "",
		"":                              "",
		"\x00\x80\x00\x00":              "",
		"\x00\x80\x00\x07layer\x00\x00": "layer",
	} {
		if got := parseSerialPage([]byte(page)); got != want {
			t.Errorf("%q gives %q, want %q", page, got, want)
		}
	}
}
