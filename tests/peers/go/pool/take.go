package pool

import (
	"context"
	"errors"
	"net"
	"time"
)

const poll = 50 * time.Millisecond

// What a take that ran out of time says, and just so one whose pool was closed.
var (
	ErrNotFound     = errors.New("OutgoingGet: connection not found")
	ErrInsufficient = errors.New("IncomingGet: insufficient connections")
)

// OutgoingGet takes the connection with this ID, for which it looks every 50 ms. The ID that it removes from the queue is
// the one at its head.
func (p *Pool) OutgoingGet(id string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(p.context(), timeout)
	defer cancel()
	for {
		s := p.shelf.Load()
		if conn, found := s.conns.LoadAndDelete(id); found {
			select {
			case <-s.queue:
			default:
			}
			return conn.(net.Conn), nil
		}
		select {
		case <-ctx.Done():
			return nil, ErrNotFound
		case <-time.After(poll):
		}
	}
}

// IncomingGet takes the oldest connection, and says its ID. It skips IDs that have no connection any more, or not yet.
func (p *Pool) IncomingGet(timeout time.Duration) (string, net.Conn, error) {
	ctx, cancel := context.WithTimeout(p.context(), timeout)
	defer cancel()
	for {
		s := p.shelf.Load()
		select {
		case <-ctx.Done():
			return "", nil, ErrInsufficient
		case id := <-s.queue:
			if conn, found := s.conns.LoadAndDelete(id); found {
				return id, conn.(net.Conn), nil
			}
		}
	}
}
