// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// The builder names module files <stage>-<number>-<name>.ko, dependencies
// first, so that no dependency is looked up while the clock runs.
const modulesDir = "/modules"

// Stages of module loading. The first ones lie in the initramfs, the others on the
// root disk, in a directory of the same name.
const (
	StageChannel = "channel" // needed for the guest's first message
	StageRest    = "rest"    // disks, file systems, network
	StageGrowth  = "growth"  // memory that is plugged into clones

	stageServices  = "services"  // the addresses of Services
	stageNetfilter = "netfilter" // what containers expect that may change the network
)

// later is what has been loaded from the root disk.
var later struct {
	mu     sync.Mutex
	loaded map[string]bool
}

// LoadServices loads what the addresses of Services need, unless that is done.
func LoadServices() error { return loadLater(stageServices) }

// LoadNetfilter loads what containers expect that may change the network, unless that
// is done.
func LoadNetfilter() error { return loadLater(stageServices, stageNetfilter) }

func loadLater(stages ...string) error {
	later.mu.Lock()
	defer later.mu.Unlock()
	for _, stage := range stages {
		if later.loaded[stage] {
			continue
		}
		if err := loadStage(stage, false); err != nil {
			return err
		}
		if later.loaded == nil {
			later.loaded = map[string]bool{}
		}
		later.loaded[stage] = true
	}
	return nil
}

// parameters of modules by name. SCSI would look for disks at all 256 targets,
// which takes 0.1 s under emulation; where they are is known (see disk.Scan), and
// a hot-plugged one announces itself.
//
// Connection tracking would be sized by the machine's memory: a pod of 192 MiB would lose
// packets from its 1537th connection on, of which those that ended count for two minutes.
// So it gets 8 times 16384, kube-proxy's least for a node, for 128 KiB of memory; a
// connection takes its own as long as it is there.
var parameters = map[string]string{"scsi_mod": "scan=manual", "nf_conntrack": "hashsize=16384"}

// LoadModules loads the modules of a stage in their order and frees the
// memory of their files (an initramfs is memory).
func LoadModules(stage string) error { return loadStage(stage, true) }

func loadStage(stage string, remove bool) error {
	files, err := filepath.Glob(filepath.Join(modulesDir, stage+"-*.ko"))
	if err != nil {
		return fmt.Errorf("list modules: %w", err)
	}
	if len(files) == 0 {
		return fmt.Errorf("the guest has no modules of stage %q", stage)
	}
	sort.Strings(files)
	for _, file := range files {
		if err := loadModule(file); err != nil {
			return fmt.Errorf("load %s: %w", filepath.Base(file), err)
		}
		if !remove {
			continue
		}
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("remove a module's file: %w", err)
		}
	}
	return nil
}

func loadModule(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	err = unix.FinitModule(int(file.Fd()), parameters[moduleName(path)], 0)
	if errors.Is(err, unix.EEXIST) {
		return nil // built in, or loaded before
	}
	return err
}

// moduleName takes the stage and the number from a module's file name.
func moduleName(path string) string {
	parts := strings.SplitN(filepath.Base(path), "-", 3)
	return strings.TrimSuffix(parts[len(parts)-1], ".ko")
}
