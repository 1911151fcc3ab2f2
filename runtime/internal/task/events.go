// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"time"

	eventtypes "github.com/containerd/containerd/api/events"
	"github.com/containerd/log"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"hypernetes.org/runtime/internal/sandbox"
)

// Publisher sends an event to containerd.
type Publisher interface {
	Publish(ctx context.Context, topic string, event proto.Message) error
}

// Topics as containerd's core/runtime names them; that package would add much
// to the shim's memory.
const (
	topicCreate      = "/tasks/create"
	topicStart       = "/tasks/start"
	topicOOM         = "/tasks/oom"
	topicExit        = "/tasks/exit"
	topicDelete      = "/tasks/delete"
	topicExecAdded   = "/tasks/exec-added"
	topicExecStarted = "/tasks/exec-started"
)

type event struct {
	topic     string
	body      proto.Message
	delivered chan struct{} // closed once it was sent; nil if nothing waits for it
}

// queueLength is how many events wait while containerd is away. Each answers a
// call of containerd or the end of a process it started, so they are few.
const queueLength = 1024

// queue publishes events in order, without holding those who send them.
type queue struct {
	events chan event
}

// newQueue starts the sender, which ends with ctx.
func newQueue(ctx context.Context, publisher Publisher) *queue {
	q := &queue{events: make(chan event, queueLength)}
	go func() {
		for {
			select {
			case next := <-q.events:
				// The publisher retries; CRI learns exits from Wait too.
				if err := publisher.Publish(ctx, next.topic, next.body); err != nil {
					log.L.WithError(err).WithField("topic", next.topic).Warn("publish an event")
				}
				if next.delivered != nil {
					close(next.delivered)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return q
}

func (q *queue) send(topic string, body proto.Message) { q.put(event{topic: topic, body: body}) }

// put reports whether there was room.
func (q *queue) put(next event) bool {
	select {
	case q.events <- next:
		return true
	default:
		log.L.WithField("topic", next.topic).Error("containerd takes no events; one was dropped")
		return false
	}
}

// deliveryPatience is how long an event may hold up what must come after it.
const deliveryPatience = 2 * time.Second

// deliver returns when containerd has the event: CRI takes an exit from the answer
// to Wait, which would overtake the reason for it.
func (q *queue) deliver(topic string, body proto.Message) {
	delivered := make(chan struct{})
	if !q.put(event{topic, body, delivered}) {
		return
	}
	select {
	case <-delivered:
	case <-time.After(deliveryPatience):
	}
}

func (q *queue) exit(p *process, pid uint32, exit sandbox.Exit) {
	id := p.exec
	if id == "" {
		id = p.container
	}
	q.send(topicExit, &eventtypes.TaskExit{
		ContainerID: p.container, ID: id, Pid: pid, ExitStatus: exit.Code, ExitedAt: stamp(exit.At),
	})
}

// stamp omits the zero time.
func stamp(at time.Time) *timestamppb.Timestamp {
	if at.IsZero() {
		return nil
	}
	return timestamppb.New(at)
}
