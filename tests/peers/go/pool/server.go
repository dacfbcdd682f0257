package pool

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

var errFull = errors.New("pool full")

// NewServerPool accepts on listener, from clientIP only unless that is empty, over TLS if there is a configuration. It is
// nil without a listener.
func NewServerPool(maxCap int, clientIP string, config *tls.Config, listener net.Listener, keepAlive time.Duration) *Pool {
	if listener == nil {
		return nil
	}
	p := newPool(positive(maxCap, 1))
	p.clientIP, p.tls, p.listener, p.keepAlive = clientIP, config, listener, keepAlive
	return p
}

// ServerManager accepts connections until Close.
func (p *Pool) ServerManager() {
	ctx := p.begin()
	listener := p.listener
	if p.tls != nil {
		listener = tls.NewListener(listener, p.tls)
	}
	routes := http.NewServeMux()
	routes.HandleFunc("/", p.upgrade)
	server := &http.Server{
		Handler:           routes,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       p.keepAlive,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	p.http.Store(server)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
		p.AddError()
	}
}

// upgrade judges a request, capacity first, and answers it. Path, Origin and credentials do not matter.
func (p *Pool) upgrade(w http.ResponseWriter, r *http.Request) {
	s := p.shelf.Load()
	if len(s.queue) >= cap(s.queue) {
		http.Error(w, errFull.Error(), http.StatusServiceUnavailable)
		return
	}
	address := r.RemoteAddr
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	if p.clientIP != "" && address != p.clientIP {
		http.Error(w, "unauthorized", http.StatusForbidden)
		return
	}
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true,
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return
	}
	socket.SetReadLimit(-1)
	id, err := p.name()
	if err != nil {
		socket.Close(websocket.StatusInternalError, err.Error())
		return
	}
	name := hex.EncodeToString(id[:])
	if _, taken := s.conns.Load(name); taken {
		socket.Close(websocket.StatusInternalError, "duplicate id")
		return
	}
	conn := websocket.NetConn(p.context(), socket, websocket.MessageBinary)
	if _, err := conn.Write(id[:]); err != nil {
		conn.Close()
		return
	}
	s = p.shelf.Load()
	select {
	case s.queue <- name:
		s.conns.Store(name, conn)
	default:
		// The peer keeps a ghost.
		conn.Close()
	}
}

// name makes an ID: zero for the first, whatever becomes of its connection, and a random one for each other.
func (p *Pool) name() (id [4]byte, err error) {
	if p.named.CompareAndSwap(false, true) {
		return id, nil
	}
	_, err = rand.Read(id[:])
	return id, err
}
