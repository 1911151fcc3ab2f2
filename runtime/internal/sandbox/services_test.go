// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/record"
)

const oneService = `{"version":1,"ranges":["10.96.0.0/12"],"ports":[
	{"address":"10.96.0.9","protocol":"TCP","port":80,"endpoints":[{"address":"10.0.0.5","port":8080}]},
	{"address":"10.96.0.9","protocol":"SCTP","port":81,"endpoints":[]}]}`

func knownServices(t *testing.T) (path string, known *services) {
	t.Helper()
	dir := t.TempDir()
	s := &Sandbox{record: record.Record{NamespaceID: "namespace-1"}, host: Host{Config: config.Config{ServicesDir: dir}}}
	known, err := s.newServices()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "namespace-1.json"), known
}

// rename writes as the agent does.
func rename(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestATableIsReadWhenItHasChanged(t *testing.T) {
	path, known := knownServices(t)
	for _, step := range []struct {
		text  string // "": nothing is written
		ports int    // of the table; -1: none
	}{{"", -1}, {oneService, 1}, {"", -1}, {oneService, 1}, {`{"version":1,"ports":[]}`, 0}} {
		if step.text != "" {
			rename(t, path, step.text)
		}
		table, err := known.next()
		if err != nil {
			t.Fatal(err)
		}
		if table == nil && step.ports >= 0 || table != nil && len(table.Ports) != step.ports {
			t.Errorf("%q: %v", step.text, table)
		}
	}
	want := &guestv1.Services{Ranges: []string{"10.96.0.0/12"}, Ports: []*guestv1.ServicePort{
		{Address: "10.96.0.9", Protocol: 6, Port: 80, Endpoints: []*guestv1.ServiceEndpoint{{Address: "10.0.0.5", Port: 8080}}},
	}}
	if got, err := parseServices([]byte(oneService), "client"); err != nil || !proto.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAffinityGivesEachClientOneEndpointOfItsOwn(t *testing.T) {
	const four = `{"address":"10.0.0.5","port":80},{"address":"10.0.0.6","port":80},{"address":"10.0.0.7","port":80},{"address":"10.0.0.8","port":80}`
	choose := func(client, endpoints string) string {
		t.Helper()
		text := `{"version":1,"ports":[{"address":"10.96.0.9","protocol":"TCP","port":80,"affinity":true,"endpoints":[` + endpoints + `]}]}`
		table, err := parseServices([]byte(text), client)
		if err != nil || len(table.Ports[0].Endpoints) != 1 {
			t.Fatalf("%v, %v", table, err)
		}
		return table.Ports[0].Endpoints[0].Address
	}
	chosen := map[string]int{}
	for i := range 400 {
		client := fmt.Sprint("client-", i)
		first := choose(client, four)
		chosen[first]++
		if with := choose(client, four+`,{"address":"10.0.0.9","port":80}`); with != first && with != "10.0.0.9" {
			t.Errorf("%s moved from %s to %s", client, first, with)
		}
	}
	for _, count := range chosen {
		if len(chosen) != 4 || count < 50 {
			t.Fatalf("the clients are at %v", chosen)
		}
	}
	if table, err := parseServices([]byte(`{"version":1,"ports":[{"address":"10.96.0.9","protocol":"TCP","port":80,"affinity":true}]}`), "a"); err != nil ||
		len(table.Ports) != 1 {
		t.Errorf("without endpoints: %v, %v", table, err)
	}
}

func TestAFileThatIsNotATableDoesNotKeepAPodFromStarting(t *testing.T) {
	for _, text := range []string{"no JSON", `{"version":2}`} {
		path, known := knownServices(t)
		rename(t, path, text)
		if _, err := known.next(); err == nil {
			t.Errorf("%q is taken", text)
		}
		_, known = knownServices(t)
		if table := known.first(); table != nil {
			t.Errorf("%v", table)
		}
	}
}

func TestANamespaceIDIsAFileName(t *testing.T) {
	s := &Sandbox{record: record.Record{NamespaceID: "../x"}}
	if _, err := s.newServices(); err == nil {
		t.Error("a path is taken")
	}
}

// tables is a guest that takes tables, or fails.
type tables struct {
	guestv1.GuestService
	got  []*guestv1.Services
	fail error
}

func (g *tables) SetServices(_ context.Context, table *guestv1.Services) (*guestv1.Empty, error) {
	if g.fail != nil {
		return nil, g.fail
	}
	g.got = append(g.got, table)
	return &guestv1.Empty{}, nil
}

func TestTheGuestGetsEachTableOnce(t *testing.T) {
	s, _ := withGuest(t)
	path, known := knownServices(t)
	guest := &tables{}
	s.services, s.guest = known, guest
	for range 2 {
		rename(t, path, oneService)
		for range 2 {
			if err := s.sendServices(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(guest.got) != 2 {
		t.Errorf("%d tables", len(guest.got))
	}
	guest.fail = errors.New("no packet filter")
	rename(t, path, oneService)
	if err := s.sendServices(); err == nil {
		t.Error("the failure is not reported")
	}
}
