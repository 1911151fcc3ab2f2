// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/containerd/log"
	"golang.org/x/sys/unix"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/ident"
)

const (
	// servicesPeriod is how late the guest may learn of a change. A look costs one
	// system call; a watch would take one of the 128 that the kernel gives root.
	servicesPeriod = 500 * time.Millisecond
	// servicesPause follows a failure.
	servicesPause   = 10 * time.Second
	maxServicesFile = 8 << 20
	// The layout of the agent's file: hypernetes/agent/services/table.py.
	servicesVersion = 1
)

// protocols are those of Services that a guest knows; others are left out.
var protocols = map[string]uint32{"TCP": unix.IPPROTO_TCP, "UDP": unix.IPPROTO_UDP}

// servicesFile is all Services of a namespace, which the agent writes by renaming and
// all the namespace's pods on the node read.
type servicesFile struct {
	Version int      `json:"version"`
	Ranges  []string `json:"ranges"`
	Ports   []struct {
		Address  string `json:"address"`
		Protocol string `json:"protocol"`
		Port     uint32 `json:"port"`
		// Affinity: all connections of a client go to one endpoint (ClientIP).
		Affinity  bool `json:"affinity"`
		Endpoints []struct {
			Address string `json:"address"`
			Port    uint32 `json:"port"`
		} `json:"endpoints"`
	} `json:"ports"`
}

// parseServices returns the table for one client, which the pod is.
func parseServices(data []byte, client string) (*guestv1.Services, error) {
	var file servicesFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	if file.Version != servicesVersion {
		return nil, fmt.Errorf("version %d is not %d", file.Version, servicesVersion)
	}
	table := &guestv1.Services{Ranges: file.Ranges}
	for _, port := range file.Ports {
		protocol, known := protocols[port.Protocol]
		if !known {
			continue
		}
		made := &guestv1.ServicePort{Address: port.Address, Protocol: protocol, Port: port.Port}
		for _, endpoint := range port.Endpoints {
			made.Endpoints = append(made.Endpoints, &guestv1.ServiceEndpoint{Address: endpoint.Address, Port: endpoint.Port})
		}
		if port.Affinity && len(made.Endpoints) > 0 {
			made.Endpoints = []*guestv1.ServiceEndpoint{favorite(client, made.Endpoints)}
		}
		table.Ports = append(table.Ports, made)
	}
	return table, nil
}

// favorite chooses one endpoint for a client by rendezvous hashing: it stays the same for
// as long as the endpoint is there, whatever else comes and goes, and nothing is remembered.
func favorite(client string, endpoints []*guestv1.ServiceEndpoint) *guestv1.ServiceEndpoint {
	return slices.MaxFunc(endpoints, func(a, b *guestv1.ServiceEndpoint) int {
		return bytes.Compare(weight(client, a), weight(client, b))
	})
}

func weight(client string, endpoint *guestv1.ServiceEndpoint) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", client, endpoint.GetAddress(), endpoint.GetPort()))
	return sum[:]
}

// services is what the guest knows of its namespace's Services. One goroutine uses it.
type services struct {
	path   string      // "": the agent does not know the namespace
	client string      // the sandbox's id
	seen   fs.FileInfo // of the file that was read last; nil: none yet
}

func (s *Sandbox) newServices() (*services, error) {
	if s.record.NamespaceID == "" {
		return &services{}, nil
	}
	if !ident.Valid(s.record.NamespaceID) {
		return nil, fmt.Errorf("namespace id %q is not a file name", s.record.NamespaceID)
	}
	return &services{path: filepath.Join(s.host.Config.ServicesDir, s.record.NamespaceID+".json"), client: s.id}, nil
}

// next returns a table that the guest does not know, or nil.
func (s *services) next() (*guestv1.Services, error) {
	if s.path == "" {
		return nil, nil
	}
	found, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the guest keeps what it has
	}
	if err != nil {
		return nil, err
	}
	if s.seen != nil && os.SameFile(s.seen, found) && s.seen.ModTime().Equal(found.ModTime()) {
		return nil, nil
	}
	file, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// Of the file that is read, which may be a newer one.
	if s.seen, err = file.Stat(); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxServicesFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxServicesFile {
		return nil, fmt.Errorf("longer than %d bytes", maxServicesFile)
	}
	return parseServices(data, s.client)
}

// first returns the table for the guest's configuration. A pod starts without one: it is
// sent as soon as there is one.
func (s *services) first() *guestv1.Services {
	table, err := s.next()
	if err != nil {
		log.L.WithError(err).Warn("read the namespace's Services")
		return nil
	}
	return table
}

// followServices keeps the guest's Services up to date. It ends with the machine.
func (s *Sandbox) followServices() {
	for pause := servicesPeriod; ; {
		select {
		case <-time.After(pause):
		case <-s.live.Done():
			return
		}
		pause = servicesPeriod
		if err := s.sendServices(); err != nil && s.live.Err() == nil {
			log.L.WithError(err).Warn("send the namespace's Services to the guest")
			s.services.seen = nil // once more
			pause = servicesPause
		}
	}
}

func (s *Sandbox) sendServices() error {
	table, err := s.services.next()
	if err != nil || table == nil {
		return err
	}
	ctx, cancel := s.Call(s.live)
	defer cancel()
	if _, err := s.guest.SetServices(ctx, table); err != nil {
		return GuestError(err)
	}
	return nil
}
