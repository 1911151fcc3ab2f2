// SPDX-License-Identifier: Apache-2.0

package disk

import "testing"

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
