// Command peer is a pool that does what it is told by lines on its standard input:
//
//	peer client ADDRESS TLS-CODE MIN MAX
//	peer server ADDRESS MAX [CERTIFICATE KEY]
//
// It first writes "listening ADDRESS", or "dialing ADDRESS". Each order is a line "NUMBER VERB ARGUMENT…", and is answered,
// as soon as it is done, by "NUMBER ok VALUE…" or "NUMBER failed WHY".
package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"npws.invalid/peers/pool"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 4 {
		log.Fatal("usage: peer client ADDRESS TLS-CODE MIN MAX | peer server ADDRESS MAX [CERTIFICATE KEY]")
	}
	p, err := start(os.Args[1], os.Args[2], os.Args[3:])
	if err != nil {
		log.Fatal(err)
	}
	var output sync.Mutex
	peer := &peer{pool: p, conns: map[string]net.Conn{}}
	orders := bufio.NewScanner(os.Stdin)
	orders.Buffer(nil, 1<<20)
	for orders.Scan() {
		words := strings.Fields(orders.Text())
		if len(words) < 2 {
			log.Fatalf("no order: %q", orders.Text())
		}
		go func() {
			answer := "ok "
			value, err := peer.obey(words[1], words[2:])
			if err != nil {
				answer, value = "failed ", err.Error()
			}
			output.Lock()
			defer output.Unlock()
			fmt.Println(words[0], strings.TrimSpace(answer+value))
		}()
	}
}

func start(role, address string, arguments []string) (*pool.Pool, error) {
	const keepAlive = 5 * time.Second
	limits := make([]int, 0, 2)
	if role == "client" && len(arguments) == 3 {
		for _, argument := range arguments[1:] {
			limit, err := strconv.Atoi(argument)
			if err != nil {
				return nil, err
			}
			limits = append(limits, limit)
		}
		p := pool.NewClientPool(limits[0], limits[1], 100*time.Millisecond, time.Second, keepAlive, arguments[0], address)
		fmt.Println("dialing", address)
		go p.ClientManager()
		return p, nil
	}
	limit, err := strconv.Atoi(arguments[0])
	if role != "server" || err != nil {
		return nil, fmt.Errorf("%s %v: neither a client nor a server", role, arguments)
	}
	var config *tls.Config
	if len(arguments) == 3 {
		certificate, err := tls.LoadX509KeyPair(arguments[1], arguments[2])
		if err != nil {
			return nil, err
		}
		config = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	p := pool.NewServerPool(limit, "", config, listener, keepAlive)
	fmt.Println("listening", listener.Addr())
	go p.ServerManager()
	return p, nil
}
