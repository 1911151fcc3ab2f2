// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"fmt"
	"testing"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// An air-gapped node's images are imported instead of pulled. However that is done,
// what a layer deletes is gone, and an opaque directory shows nothing of the layers
// below. (With --no-unpack containerd 2.4 unpacks the layers beside each other when
// the container is created, without their parents, and whiteouts are lost.)
func TestAnImportedImageHasWhatItsLayersSay(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	layers := [][]file{
		{{"gone", "1"}, {"kept", "1"}, {"dir/", ""}, {"dir/old", "1"}, {"other/", ""}, {"other/old", "1"}},
		{{".wh.gone", ""}, {"dir/", ""}, {"dir/.wh..wh..opq", ""}, {"dir/new", "2"}, {"other/", ""}, {"other/new", "2"}},
		{{"other/", ""}, {"other/.wh.old", ""}, {"gone/", ""}, {"gone/again", "3"}},
	}
	for number, how := range [][]string{nil, {"--local", "--snapshotter", "erofs"}} {
		n.importing = how
		name := fmt.Sprintf("imported-%d", number)
		// Of its own: the same layers would be the same snapshots.
		full := n.addImage(t, name, nil, append([][]file{{{name, ""}}}, layers...)...)
		id := p.run(name, "ls -d /kept /dir/* /other/* /gone/* | tr '\\n' ' '", func(c *cri.ContainerConfig) {
			c.Image = &cri.ImageSpec{Image: full}
		})
		p.exits(id)
		if got, want := p.log(name), "stdout:/dir/new /gone/again /kept /other/new \n"; got != want {
			t.Errorf("imported with %v: %q, want %q", how, got, want)
		}
	}
	p.remove()
	nothingLeft(t)
}
