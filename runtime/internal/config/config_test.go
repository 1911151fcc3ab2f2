// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoad(t *testing.T) {
	cases := []struct {
		name, text, fault string
		check             func(Config) bool
	}{
		{name: "an empty object keeps the defaults", text: `{}`, check: func(c Config) bool { return c == Default() }},
		{name: "a key overrides its default", text: `{"accelerator":"tcg","scratch_size":33554432}`,
			check: func(c Config) bool { return c.Accelerator == "tcg" && c.ScratchSize == 32*MiB }},
		{name: "an unknown key is ignored", text: `{"later":1}`, check: func(c Config) bool { return c == Default() }},
		{name: "text that is not JSON is refused", text: `nonsense`, fault: "parse"},
		{name: "a relative path is refused", text: `{"vm_dir":"vm"}`, fault: "vm_dir"},
		{name: "a path with dots is refused", text: `{"vm_dir":"/run/../etc"}`, fault: "vm_dir"},
		{name: "an unknown accelerator is refused", text: `{"accelerator":"xen"}`, fault: "accelerator"},
		{name: "a tiny machine is refused", text: `{"default_memory":1,"overhead_memory":0}`, fault: "memory"},
		{name: "root as the emulator's user is refused", text: `{"uid_base":0}`, fault: "uid_base"},
		{name: "a buffer too small for emulation is refused", text: `{"translation_buffer":1}`, fault: "translation_buffer"},
		{name: "a tiny scratch disk is refused", text: `{"scratch_size":1}`, fault: "scratch_size"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "runtime.json")
			if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := Load(path)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("want an error that names %q, got %v", c.fault, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !c.check(got) {
				t.Fatalf("unexpected settings %+v", got)
			}
		})
	}
}

func TestAMissingFileMeansTheDefaults(t *testing.T) {
	got, err := Load(filepath.Join(t.TempDir(), "absent.json"))
	if err != nil || got != Default() {
		t.Fatalf("got %+v, %v", got, err)
	}
}
