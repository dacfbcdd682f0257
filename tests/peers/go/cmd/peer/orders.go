package main

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"npws.invalid/peers/pool"
)

const (
	takeTimeout = 20 * time.Second
	readTimeout = 30 * time.Second
)

// peer is a pool and what was taken out of it.
type peer struct {
	pool  *pool.Pool
	mutex sync.Mutex
	conns map[string]net.Conn
}

// obey does one thing:
//
//	active                         Active, and how many connections are stored
//	capacity | errors              what the pool says
//	flush | close                  the pool
//	take ID [MILLISECONDS]         OutgoingGet
//	next [MILLISECONDS]            IncomingGet; its value is the ID
//	write ID HEX                   one write
//	read ID COUNT                  that many bytes, in hex
//	rest ID                        all bytes up to the end of the stream, in hex
//	echo ID                        sends back what comes until the stream ends, then closes; ends at once
//	end ID                         closes a connection that was taken
//	certificate ID                 the SHA-256 fingerprint of the server's certificate
func (p *peer) obey(verb string, arguments []string) (string, error) {
	switch verb {
	case "active":
		return fmt.Sprint(p.pool.Active(), p.pool.Stored()), nil
	case "capacity":
		return strconv.Itoa(p.pool.Capacity()), nil
	case "errors":
		return strconv.Itoa(p.pool.ErrorCount()), nil
	case "flush":
		p.pool.Flush()
		return "", nil
	case "close":
		p.pool.Close()
		return "", nil
	case "next":
		id, conn, err := p.pool.IncomingGet(timeout(arguments))
		if err != nil {
			return "", err
		}
		p.keep(id, conn)
		return id, nil
	}
	if len(arguments) == 0 {
		return "", fmt.Errorf("%s what?", verb)
	}
	if verb == "take" {
		conn, err := p.pool.OutgoingGet(arguments[0], timeout(arguments[1:]))
		if err != nil {
			return "", err
		}
		p.keep(arguments[0], conn)
		return "", nil
	}
	return p.use(verb, arguments[0], arguments[1:])
}

func (p *peer) keep(id string, conn net.Conn) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.conns[id] = conn
}

func (p *peer) use(verb, id string, arguments []string) (string, error) {
	p.mutex.Lock()
	conn := p.conns[id]
	p.mutex.Unlock()
	if conn == nil {
		return "", fmt.Errorf("%s was not taken", id)
	}
	switch {
	case verb == "write" && len(arguments) == 1:
		data, err := hex.DecodeString(arguments[0])
		if err != nil {
			return "", err
		}
		_, err = conn.Write(data)
		return "", err
	case verb == "read" && len(arguments) == 1:
		count, err := strconv.Atoi(arguments[0])
		if err != nil {
			return "", err
		}
		return read(conn, func() ([]byte, error) {
			data := make([]byte, count)
			_, err := io.ReadFull(conn, data)
			return data, err
		})
	case verb == "rest":
		return read(conn, func() ([]byte, error) { return io.ReadAll(conn) })
	case verb == "echo":
		go func() {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}()
		return "", nil
	case verb == "end":
		return "", conn.Close()
	case verb == "certificate":
		tlsConn, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
		if !ok {
			return "", errors.New("no TLS state")
		}
		sum := sha256.Sum256(tlsConn.ConnectionState().PeerCertificates[0].Raw)
		return hex.EncodeToString(sum[:]), nil
	}
	return "", fmt.Errorf("no order: %s %v", verb, arguments)
}

func read(conn net.Conn, from func() ([]byte, error)) (string, error) {
	_ = conn.SetReadDeadline(time.Now().Add(readTimeout))
	data, err := from()
	return hex.EncodeToString(data), err
}

func timeout(arguments []string) time.Duration {
	if len(arguments) > 0 {
		if milliseconds, err := strconv.Atoi(arguments[0]); err == nil {
			return time.Duration(milliseconds) * time.Millisecond
		}
	}
	return takeTimeout
}
