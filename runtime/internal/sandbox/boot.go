// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/containerd/log"
	"github.com/containerd/ttrpc"

	guestv1 "hypernetes.org/runtime/api/guest/v1"
	"hypernetes.org/runtime/internal/channel"
)

// boot waits for the guest, configures it and keeps watch over the channel. It
// ends with the sandbox.
func (s *Sandbox) boot() {
	start := time.Now()
	client, err := s.connect()
	if err != nil {
		s.fault = fmt.Errorf("the pod's machine does not come up: %w", err)
		close(s.booted)
		s.kill(s.fault)
		return
	}
	log.L.WithField("took", time.Since(start)).Info("the pod's machine is ready")
	s.work.Go(s.refresh)
	s.work.Go(s.forward)
	s.work.Go(s.watchUsage)
	s.work.Go(s.followServices)
	close(s.booted)
	select {
	case <-s.channel.Done():
		// Without a channel nothing of the pod can be seen or stopped.
		s.kill(fmt.Errorf("the guest channel ended: %w", net.ErrClosed))
	case <-s.live.Done():
	}
	_ = client.Close() // its connection ends with the channel
}

func (s *Sandbox) connect() (client *ttrpc.Client, err error) {
	ctx, cancel := context.WithTimeout(s.live, bootTimeout)
	defer cancel()
	// Dial reads until the guest sends its hello; if the monitor dies, Dial must return.
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-s.machine.Done():
			cancel()
		case <-stop:
		}
	}()
	if s.channel == nil { // a clone's is there already
		if s.channel, err = channel.Dial(ctx, s.machine.Channel()); err != nil {
			return nil, err
		}
	}
	conn, err := s.channel.RPC(ctx)
	if err != nil {
		return nil, err
	}
	client = ttrpc.NewClient(&callConn{Conn: conn, limit: callTimeout, fail: s.kill}, ttrpc.WithUnaryClientInterceptor(heedContext))
	s.guest = guestv1.NewGuestClient(client)
	if err := s.configure(ctx); err != nil {
		_ = client.Close() // the first error is the one to report
		return nil, err
	}
	return client, nil
}

func (s *Sandbox) configure(ctx context.Context) error {
	request, err := guestConfiguration(s.record, s.pod, time.Now())
	if err != nil {
		return err
	}
	request.Services = s.services.first()
	answer, err := s.guest.Configure(ctx, request)
	if err != nil {
		return fmt.Errorf("configure the guest: %w", GuestError(err))
	}
	// %.64q: the text comes from the guest.
	log.L.Infof("guest kernel %.64q, boot id %.64q", answer.GetKernelRelease(), answer.GetBootId())
	return nil
}
