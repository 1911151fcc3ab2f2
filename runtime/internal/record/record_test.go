// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// sample is a record as the agent's unit tests hold it, too.
func sample(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("testdata/record.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestLoad(t *testing.T) {
	good := sample(t)
	cases := []struct{ name, text, fault string }{
		{"a whole record is read", good, ""},
		{"no tap is refused", strings.Replace(good, "tap00000005-31", "", 1), "no tap"},
		{"a tap name with a slash is refused", strings.Replace(good, "tap00000005-31", "../x", 1), "interface name"},
		{"another version is refused", strings.Replace(good, `"version": 1`, `"version": 2`, 1), "version"},
		{"another sandbox's record is refused", strings.Replace(good, `"a"`, `"b"`, 1), "names sandbox"},
		{"a bad mac is refused", strings.Replace(good, "fa:16:3e:00:00:05", "fa", 1), "mac"},
		{"no address is refused", strings.Replace(good, `"10.0.0.5/24"`, ``, 1), "no address"},
		{"a negative size is refused", strings.Replace(good, `1073741824`, `-1`, 1), "negative"},
		{"negative memory is refused", strings.Replace(good, `536870912`, `-1`, 1), "negative"},
		{"a bad mtu is refused", strings.Replace(good, `1442`, `1`, 1), "mtu"},
		{"cut text is refused", good[:40], "JSON"},
		{"a huge record is refused", `{"x":"` + strings.Repeat("y", maxSize) + `"}`, "longer"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a.json"), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := Load(dir, "a")
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("want an error that names %q, got %v", c.fault, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := Record{
				Version: 1, SandboxID: "a", PodUID: "uid", PodNamespace: "red", PodName: "pod", NamespaceID: "namespace-id", ProjectID: "project-id",
				PortID: "00000005-31bf-4a9f-a001-e97616fe3d76", TAP: "tap00000005-31", MAC: "fa:16:3e:00:00:05", MTU: 1442,
				Addresses:   []netip.Prefix{netip.MustParsePrefix("10.0.0.5/24")},
				Routes:      []Route{{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.0.0.1")}},
				NameServers: []netip.Addr{netip.MustParseAddr("10.0.0.2")}, Search: []string{}, ScratchSize: 1 << 30, MemoryBytes: 512 << 20, CPUs: 2,
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestAMissingRecordSaysSo(t *testing.T) {
	if _, err := Load(t.TempDir(), "abc"); !errors.Is(err, ErrMissing) {
		t.Fatalf("got %v", err)
	}
}

func TestASandboxIDIsNeverAPath(t *testing.T) {
	for _, id := range []string{"", "../abc", "a/b", ".hidden"} {
		if _, err := Load(t.TempDir(), id); err == nil {
			t.Errorf("%q was accepted", id)
		}
	}
}

func TestTenantsAreThoseOfTheRecords(t *testing.T) {
	dir := t.TempDir()
	text := strings.Replace(sample(t), `"a"`, `"b"`, 1)
	for name, text := range map[string]string{
		"a.json": sample(t), "b.json": strings.Replace(text, `"project-id"`, `""`, 1), "c.json": "{", ".d.json": text,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Tenants(dir)
	if want := map[string]bool{"project-id": true, "namespace-id": true}; err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("got %v, %v", found, err)
	}
	if found, err := Tenants(filepath.Join(dir, "none")); err != nil || len(found) != 0 {
		t.Errorf("before the first pod: %v, %v", found, err)
	}
}
