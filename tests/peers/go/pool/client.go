package pool

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	dialTimeout = 30 * time.Second
	idTimeout   = time.Minute
)

// target is where a client dials: url with the host's bare name in the Host field, over TLS if there is a configuration.
type target struct {
	url, host string
	tls       *tls.Config
}

// withState is a connection that shows its TLS state, which the WebSocket library's does not.
type withState struct {
	net.Conn
	state tls.ConnectionState
}

// ConnectionState has the server's certificate.
func (c *withState) ConnectionState() tls.ConnectionState {
	return c.state
}

// NewClientPool dials address. tlsCode "1" is TLS that trusts everybody, "2" is TLS that verifies; anything else is none,
// or "2" if the port is 443. Values that are not positive become 1 or one second, and limits in the wrong order change
// places.
func NewClientPool(minCap, maxCap int, minIvl, maxIvl, keepAlive time.Duration, tlsCode, address string) *Pool {
	minCap, maxCap = inOrder(positive(minCap, 1), positive(maxCap, 1))
	minIvl, maxIvl = inOrder(positive(minIvl, time.Second), positive(maxIvl, time.Second))
	p := newPool(maxCap)
	p.keepAlive = keepAlive
	p.pace.minCap, p.pace.maxCap, p.pace.minIvl, p.pace.maxIvl = minCap, maxCap, minIvl, maxIvl
	p.pace.capacity.Store(int32(minCap))
	p.pace.interval.Store(int64(minIvl))

	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	p.target = target{url: "ws://" + address + "/", host: host}
	if tlsCode == "1" || tlsCode == "2" || port == "443" {
		p.target.url = "wss://" + address + "/"
		p.target.tls = &tls.Config{
			ServerName:         host,
			MinVersion:         tls.VersionTLS13,
			InsecureSkipVerify: tlsCode == "1",
		}
	}
	return p
}

// ClientManager keeps the pool filled, round by round, until Close. A closed pool can be started again by it.
func (p *Pool) ClientManager() {
	ctx := p.begin()
	for ctx.Err() == nil {
		idle := p.Active()
		p.pace.before(idle)
		p.pace.after(p.round(ctx, p.Capacity()-idle))
		select {
		case <-ctx.Done():
		case <-time.After(p.Interval()):
		}
	}
}

// round dials count times at once, waits for all of them, and says how many came to be connections.
func (p *Pool) round(ctx context.Context, count int) int {
	var created atomic.Int32
	var dials sync.WaitGroup
	for range max(count, 0) {
		dials.Add(1)
		go func() {
			defer dials.Done()
			if p.dial(ctx) == nil {
				created.Add(1)
			}
		}()
	}
	dials.Wait()
	return int(created.Load())
}

func (p *Pool) dial(ctx context.Context) error {
	// A transport for each dial.
	client := &http.Client{}
	if p.target.tls != nil {
		client.Transport = &http.Transport{TLSClientConfig: p.target.tls}
	}
	upgrade, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	socket, response, err := websocket.Dial(upgrade, p.target.url, &websocket.DialOptions{
		HTTPClient:      client,
		Host:            p.target.host,
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return err
	}
	socket.SetReadLimit(-1)
	conn := websocket.NetConn(ctx, socket, websocket.MessageBinary)

	var id [4]byte
	_ = conn.SetReadDeadline(time.Now().Add(idTimeout))
	if _, err := io.ReadFull(conn, id[:]); err != nil {
		conn.Close()
		return err
	}
	_ = conn.SetReadDeadline(time.Time{})
	if response.TLS != nil {
		conn = &withState{conn, *response.TLS}
	}
	return p.put(hex.EncodeToString(id[:]), conn)
}

// put stores a client's connection before it queues its ID.
func (p *Pool) put(id string, conn net.Conn) error {
	s := p.shelf.Load()
	s.conns.Store(id, conn)
	select {
	case s.queue <- id:
		return nil
	default:
		s.conns.Delete(id)
		conn.Close()
		return errFull
	}
}

func positive[T int | time.Duration](value, otherwise T) T {
	if value <= 0 {
		return otherwise
	}
	return value
}

func inOrder[T int | time.Duration](low, high T) (T, T) {
	return min(low, high), max(low, high)
}
