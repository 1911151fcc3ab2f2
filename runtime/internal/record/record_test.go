// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const good = `{"version":1,"sandbox_id":"abc","pod_uid":"u","pod_namespace":"n","pod_name":"p","namespace_id":"i",
 "port_id":"q","tap":"tap0123456789a","mac":"fa:16:3e:00:00:01","mtu":1442,"addresses":["10.0.0.5/24"],
 "routes":[{"destination":"0.0.0.0/0","gateway":"10.0.0.1"}],"name_servers":["10.0.0.2"],"search":["x"],"offload":false}`

func TestLoad(t *testing.T) {
	cases := []struct{ name, text, fault string }{
		{"a whole record is read", good, ""},
		{"no tap is refused", strings.Replace(good, "tap0123456789a", "", 1), "no tap"},
		{"a tap name with a slash is refused", strings.Replace(good, "tap0123456789a", "../x", 1), "interface name"},
		{"another version is refused", strings.Replace(good, `"version":1`, `"version":2`, 1), "version"},
		{"another sandbox's record is refused", strings.Replace(good, `"abc"`, `"abd"`, 1), "names sandbox"},
		{"a bad mac is refused", strings.Replace(good, "fa:16:3e:00:00:01", "fa", 1), "mac"},
		{"no address is refused", strings.Replace(good, `"10.0.0.5/24"`, ``, 1), "no address"},
		{"a bad mtu is refused", strings.Replace(good, `1442`, `1`, 1), "mtu"},
		{"cut text is refused", good[:40], "JSON"},
		{"a huge record is refused", `{"x":"` + strings.Repeat("y", maxSize) + `"}`, "longer"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "abc.json"), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := Load(dir, "abc")
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("want an error that names %q, got %v", c.fault, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.TAP != "tap0123456789a" || got.Routes[0].Gateway.String() != "10.0.0.1" {
				t.Fatalf("unexpected record %+v", got)
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
