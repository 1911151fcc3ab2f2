// SPDX-License-Identifier: Apache-2.0

//go:build containerd

package integration

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/opencontainers/go-digest"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// file is an entry of a layer: a directory where its name ends in a slash.
type file struct{ name, text string }

// top says which image one is in; every image here has it in its last layer but
// for what a test adds.
func top(name string) []file { return []file{{"top", name + "\n"}} }

// many is an image's layers above busybox, each with a file of its own.
func many(name string, count int) [][]file {
	var layers [][]file
	for number := 1; number < count-1; number++ {
		layers = append(layers, []file{{fmt.Sprintf("layer-%d", number), "x"}})
	}
	return append(layers, top(name))
}

// addImage makes an image of busybox and these layers above it, and gives its
// name.
func (n *node) addImage(t *testing.T, name string, volumes map[string]struct{}, layers ...[]file) string {
	t.Helper()
	base := filepath.Join(os.Getenv("HYPERNETES_DIST"), "images/library/busybox")
	dir := t.TempDir()
	store := layoutStore{t: t, dir: dir}
	store.must(os.CopyFS(dir, os.DirFS(base)))
	var index ocispec.Index
	store.read("index.json", &index)
	var manifest ocispec.Manifest
	store.read(blob(index.Manifests[0].Digest), &manifest)
	var config ocispec.Image
	store.read(blob(manifest.Config.Digest), &config)
	for _, layer := range layers {
		added := store.add(ocispec.MediaTypeImageLayer, archive(t, layer))
		manifest.Layers = append(manifest.Layers, added)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, added.Digest)
	}
	config.Config.Volumes = volumes
	config.History = nil
	manifest.Config = store.add(ocispec.MediaTypeImageConfig, store.json(config))
	made := store.add(ocispec.MediaTypeImageManifest, store.json(manifest))
	store.must(os.WriteFile(filepath.Join(dir, "index.json"), store.json(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{made}}), 0o644))
	full := "docker.io/library/" + name + ":latest"
	n.importLayout(t, dir, full)
	return full
}

func blob(digest digest.Digest) string { return "blobs/sha256/" + digest.Encoded() }

type layoutStore struct {
	t   *testing.T
	dir string
}

func (s layoutStore) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s layoutStore) read(path string, value any) {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, path))
	s.must(err)
	s.must(json.Unmarshal(data, value))
}

func (s layoutStore) json(value any) []byte {
	s.t.Helper()
	data, err := json.Marshal(value)
	s.must(err)
	return data
}

func (s layoutStore) add(kind string, data []byte) ocispec.Descriptor {
	s.t.Helper()
	sum := sha256.Sum256(data)
	found := digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(sum[:]))
	s.must(os.WriteFile(filepath.Join(s.dir, blob(found)), data, 0o644))
	return ocispec.Descriptor{MediaType: kind, Digest: found, Size: int64(len(data))}
}

func archive(t *testing.T, files []file) []byte {
	t.Helper()
	var data bytes.Buffer
	writer := tar.NewWriter(&data)
	for _, file := range files {
		header := &tar.Header{Name: file.name, Mode: 0o755, Size: int64(len(file.text)), Typeflag: tar.TypeReg}
		if strings.HasSuffix(file.name, "/") {
			header.Typeflag = tar.TypeDir
		}
		if err := writer.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := writer.Write([]byte(file.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

func of(image string) func(*cri.ContainerConfig) {
	return func(c *cri.ContainerConfig) { c.Image = &cri.ImageSpec{Image: image} }
}

// says runs a container to its end and fails unless it prints the text.
func (p *pod) says(name, image, script, want string) {
	p.t.Helper()
	begin := time.Now()
	id := p.run(name, script, of(image))
	if status := p.exits(id); status.GetExitCode() != 0 {
		p.t.Fatalf("exit code %d: %s", status.GetExitCode(), p.log(name))
	}
	if got := p.log(name); got != "stdout:"+want {
		p.t.Errorf("%s says %q, want %q", image, got, want)
	}
	p.t.Logf("%s: %s", image, time.Since(begin))
	if _, err := p.runtime.RemoveContainer(within(p.t, time.Minute), &cri.RemoveContainerRequest{ContainerId: id}); err != nil {
		p.t.Error(err)
	}
}

func TestImagesOfEveryShape(t *testing.T) {
	n := newNode(t)
	p := n.newPod(t, nil)
	t.Run("init containers of images of 2, 12 and 50 layers, one after another", func(t *testing.T) {
		p := p.in(t)
		for _, count := range []int{2, 12, 50} {
			name := fmt.Sprintf("layers-%d", count)
			p.says(name, n.addImage(t, name, nil, many(name, count)...), "cat /top; ls -d /layer-* 2>/dev/null | wc -l",
				fmt.Sprintf("%s\nstdout:%d\n", name, count-2))
		}
	})
	t.Run("four containers of four images", func(t *testing.T) {
		p := p.in(t)
		var ids []string
		for number := range 4 {
			name := fmt.Sprintf("four-%d", number)
			ids = append(ids, p.run(name, "sleep 1000", of(n.addImage(t, name, nil, many(name, 5)...))))
		}
		for number, id := range ids {
			if out, _, _ := p.exec(id, "cat", "/top"); out != fmt.Sprintf("four-%d\n", number) {
				t.Errorf("container %d shows %q", number, out)
			}
		}
	})
	t.Run("an image of one layer", func(t *testing.T) { p.in(t).says("one", image, "echo one", "one\n") })
	t.Run("an empty layer and whiteouts", func(t *testing.T) {
		name := n.addImage(t, "shapes", nil,
			[]file{{"gone", "x"}, {"dir/", ""}, {"dir/hidden", "x"}, {"kept", "kept\n"}},
			nil,
			[]file{{".wh.gone", ""}, {"dir/", ""}, {"dir/.wh..wh..opq", ""}, {"dir/new", "x"}},
		)
		p.in(t).says("shapes", name, "cat /kept; ls /gone /dir 2>/dev/null | grep -v :", "kept\nstdout:new\n")
	})
	t.Run("a VOLUME is a directory of the container, with the image's content", func(t *testing.T) {
		name := n.addImage(t, "volume", map[string]struct{}{"/data": {}}, []file{{"data/", ""}, {"data/seed", "seed\n"}})
		script := "cat /data/seed; echo more >> /data/seed && tail -n 1 /data/seed"
		for _, container := range []string{"first", "second"} {
			p.in(t).says("volume-"+container, name, script, "seed\nstdout:more\n")
		}
	})
	p.remove()
	nothingLeft(t)
}
