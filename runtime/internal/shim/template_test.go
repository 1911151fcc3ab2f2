// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"context"
	"errors"
	"os"
	"testing"

	"hypernetes.org/runtime/internal/config"
	"hypernetes.org/runtime/internal/fakeguest"
	"hypernetes.org/runtime/internal/template"
)

// TestAMachineIsClonedWhereItCanBe: whatever is wrong with templates, the pod runs.
func TestAMachineIsClonedWhereItCanBe(t *testing.T) {
	found := func(context.Context, string, template.Request) (*template.Template, error) {
		memory, err := os.Open(os.DevNull)
		if err != nil {
			return nil, err
		}
		state, err := os.Open(os.DevNull)
		return &template.Template{Memory: memory, State: state}, err
	}
	for name, test := range map[string]struct {
		templates string
		ask       func(context.Context, string, template.Request) (*template.Template, error)
		broken    bool
		tried     int
		cloned    bool
	}{
		"there is one":  {config.TemplatesProject, found, false, 1, true},
		"they are off":  {config.TemplatesOff, found, false, 0, false},
		"there is none": {config.TemplatesProject, func(context.Context, string, template.Request) (*template.Template, error) { return nil, nil }, false, 0, false},
		"no keeper": {config.TemplatesProject, func(context.Context, string, template.Request) (*template.Template, error) {
			return nil, errors.New("refused")
		}, false, 0, false},
		"no keeper is known": {config.TemplatesProject, nil, false, 0, false},
		"it does not answer": {config.TemplatesProject, found, true, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			guest := fakeguest.New()
			guest.BrokenClones = test.broken
			f := newFixtureOf(t, guest, test.templates, test.ask)
			f.boot()
			if guest.Clones != test.tried || (guest.Spec.Incoming != nil) != test.cloned {
				t.Errorf("clones started: %d, the last one is a clone: %t", guest.Clones, guest.Spec.Incoming != nil)
			}
			if test.cloned && (guest.Spec.Backing == nil || guest.Spec.Backing.Shared || !guest.Spec.Template) {
				t.Errorf("the clone's memory: %+v", guest.Spec.Backing)
			}
			must(t, f.container("c1", nil))
		})
	}
}

// TestTemplatesAreOfAProject: a pod asks for its own project's, whatever its memory.
func TestTemplatesAreOfAProject(t *testing.T) {
	var asked template.Request
	f := newFixtureOf(t, fakeguest.New(), config.TemplatesProject, func(_ context.Context, _ string, request template.Request) (*template.Template, error) {
		asked = request
		return nil, nil
	})
	f.boot()
	if asked.Owner != "project-1" || asked.MTU != 1442 || asked.Memory != template.BaseMemory || f.guest.Spec.Memory <= asked.Memory || asked.CPUs != f.guest.Spec.CPUs {
		t.Errorf("asked for %+v", asked)
	}
}
