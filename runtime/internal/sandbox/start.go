// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"fmt"
	"time"

	"github.com/containerd/log"

	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/template"
	"hypernetes.org/runtime/internal/vmm"
)

// cloneTimeout is many times what a clone needs to answer. One that needs longer is
// killed, and the machine boots.
const cloneTimeout = 15 * time.Second

// start starts the pod's machine: as the clone of a template if the node has one, else by
// booting. A clone has answered when start returns, and its channel is set.
func (s *Sandbox) start(ctx context.Context, spec vmm.Spec) (err error) {
	if s.clone(ctx, spec) {
		return nil
	}
	s.machine, err = s.host.Driver.Start(ctx, spec)
	return err
}

// clone says whether the machine runs. It is no error if it does not: all it can
// save is time.
func (s *Sandbox) clone(ctx context.Context, spec vmm.Spec) bool {
	if s.host.Template == nil || s.host.Config.Templates != config.TemplatesProject {
		return false
	}
	began := time.Now()
	from, err := s.template(ctx, spec)
	if err != nil {
		log.L.WithError(err).Info("the pod's machine boots: the node's templates are not there")
		return false
	}
	if from == nil {
		log.L.Info("the pod's machine boots: there is no template for it yet")
		return false
	}
	defer from.Close() // the monitor has its own copies
	ctx, cancel := context.WithTimeout(ctx, cloneTimeout)
	defer cancel()
	s.machine, s.channel, err = template.Clone(ctx, s.host.Driver, spec, from)
	if err != nil {
		log.L.WithError(err).Warn("the pod's machine boots: it could not be cloned")
		return false
	}
	log.L.WithField("took", time.Since(began)).Info("the pod's machine is a clone")
	return true
}

func (s *Sandbox) template(ctx context.Context, spec vmm.Spec) (*template.Template, error) {
	request, err := template.RequestFor(s.record.Tenant(), spec)
	if err != nil {
		return nil, err
	}
	found, err := s.host.Template(ctx, s.host.Config.TemplatesSocket, request)
	if err != nil {
		return nil, fmt.Errorf("ask the keeper of templates: %w", err)
	}
	return found, nil
}
