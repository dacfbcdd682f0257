// Package pool stands in for github.com/NodePassProject/npws, the original of this protocol, which the module proxy does
// not serve. It was written anew from what is known about the original: its wire protocol, its methods, and how they
// behave, on the WebSocket library that the original uses.
//
// The original's faults are rebuilt as well, since a peer has to live with them: nothing reads an idle connection; a take
// by ID polls, and removes the head of the queue; a round waits for its slowest dial; dials are neither limited nor
// counted; the ID is written and queued before its connection is stored; the zero ID goes to whoever connects first;
// closing waits for an answer that idle peers never give, and cuts connections that were handed out.
package pool

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Pool holds one end of idle connections: of a client if NewClientPool made it, of a server if NewServerPool did.
type Pool struct {
	shelf  atomic.Pointer[shelf]
	life   atomic.Pointer[life]
	errors atomic.Int32

	// How a client dials and how eagerly.
	target target
	pace   pace

	// How a server accepts.
	listener  net.Listener
	tls       *tls.Config
	clientIP  string
	keepAlive time.Duration
	http      atomic.Pointer[http.Server]
	named     atomic.Bool
}

// shelf is what a flush replaces: the connections by ID, and the IDs in the order in which they came.
type shelf struct {
	conns sync.Map
	queue chan string
}

// life ends with Close, and a manager begins a new one.
type life struct {
	ctx context.Context
	end context.CancelFunc
}

func newPool(maxCap int) *Pool {
	p := &Pool{}
	p.shelf.Store(&shelf{queue: make(chan string, maxCap)})
	p.begin()
	return p
}

func (p *Pool) begin() context.Context {
	ctx, end := context.WithCancel(context.Background())
	if old := p.life.Swap(&life{ctx, end}); old != nil {
		old.end()
	}
	return ctx
}

func (p *Pool) context() context.Context {
	return p.life.Load().ctx
}

// Flush closes all idle connections and forgets them. It waits for the peers to answer, 5 s at most.
func (p *Pool) Flush() {
	old := p.shelf.Load()
	var closing sync.WaitGroup
	old.conns.Range(func(_, conn any) bool {
		closing.Add(1)
		go func() {
			defer closing.Done()
			conn.(net.Conn).Close()
		}()
		return true
	})
	closing.Wait()
	p.shelf.Store(&shelf{queue: make(chan string, cap(old.queue))})
}

// Close ends the manager and all connections, also those that were handed out.
func (p *Pool) Close() {
	p.life.Load().end()
	if server := p.http.Load(); server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	}
	p.Flush()
}

// Ready is always true.
func (p *Pool) Ready() bool {
	return p.life.Load() != nil
}

// Active counts the IDs in the queue, whether or not their connections live.
func (p *Pool) Active() int {
	return len(p.shelf.Load().queue)
}

// Stored counts the connections that are there. The original has no such method: tests need it to wait for both.
func (p *Pool) Stored() (count int) {
	p.shelf.Load().conns.Range(func(_, _ any) bool {
		count++
		return true
	})
	return count
}

// Capacity is how many idle connections a client wants now; 0 on a server.
func (p *Pool) Capacity() int {
	return int(p.pace.capacity.Load())
}

// Interval is how long a client waits between two rounds now; 0 on a server.
func (p *Pool) Interval() time.Duration {
	return time.Duration(p.pace.interval.Load())
}

// AddError counts an error of the user's.
func (p *Pool) AddError() {
	p.errors.Add(1)
}

// ErrorCount is the number of errors since the last ResetError. Failed dials are not among them.
func (p *Pool) ErrorCount() int {
	return int(p.errors.Load())
}

// ResetError counts from zero again.
func (p *Pool) ResetError() {
	p.errors.Store(0)
}
