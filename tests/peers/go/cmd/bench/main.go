// Command bench measures the original's behaviour, a row of the benchmarks at a time: `bench ROW`. Each line that it
// prints is a figure, its value, and the CPU seconds that it took.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"math/big"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/coder/websocket"

	"npws.invalid/peers/pool"
)

const (
	long = time.Hour
	soon = 20 * time.Second
	mib  = 1 << 20
)

func main() {
	row := os.Args[1]
	switch row {
	case "setup-tls", "setup-resume", "setup-plain":
		setup(row)
	case "take":
		take()
	case "take-fresh":
		takeFresh()
	case "wake":
		wake()
	case "stream-plain", "stream-tls":
		stream(strings.HasSuffix(row, "tls"))
	case "echo-plain", "echo-tls":
		echo(strings.HasSuffix(row, "tls"))
	case "idle-plain", "idle-tls":
		before := resident()
		fill(5000, strings.HasSuffix(row, "tls"), false)
		time.Sleep(10 * time.Second)
		report("memory", (resident()-before)/5000, 0)
	case "idle-cpu":
		fill(5000, true, false)
		time.Sleep(10 * time.Second)
		for range 5 {
			begin, spent := time.Now(), cpu()
			time.Sleep(30 * time.Second)
			spent = cpu() - spent
			report("share", 100*spent/time.Since(begin).Seconds(), spent)
		}
	default:
		fail(fmt.Errorf("%s is no row", row))
	}
	report("peak", field("/proc/self/status", "VmHWM:"), 0)
}

func setup(row string) {
	isTLS, resumes := row != "setup-plain", row == "setup-resume"
	fill(100, isTLS, resumes)
	begin, spent := time.Now(), cpu()
	fill(2000, isTLS, resumes)
	wall := time.Since(begin).Seconds()
	spent = cpu() - spent
	report("rate", 2000/wall, spent)
	report("cpu", spent*1e6/2000, spent)
}

// fill makes a server and a client pool with count connections between them.
func fill(count int, isTLS, tickets bool) (server, client *pool.Pool) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	var config *tls.Config
	code := "0"
	if isTLS {
		config, code = certificate(tickets), "1"
	}
	server = pool.NewServerPool(count, "", config, listener, 5*time.Second)
	go server.ServerManager()
	client = pool.NewClientPool(count, count, long, long, 5*time.Second, code, listener.Addr().String())
	go client.ClientManager()
	for server.Active() < count || client.Active() < count {
		time.Sleep(2 * time.Millisecond)
	}
	return server, client
}

func take() {
	server, client := fill(2200, false, false)
	ids := make([]string, 0, 2200)
	kept := make([]net.Conn, 0, 4400)
	for range 2200 {
		id, conn, err := server.IncomingGet(soon)
		fail(err)
		ids, kept = append(ids, id), append(kept, conn)
	}
	micros := make([]float64, 0, 2200)
	spent := cpu()
	for _, id := range ids {
		begin := time.Now()
		conn, err := client.OutgoingGet(id, soon)
		micros = append(micros, float64(time.Since(begin).Nanoseconds())/1e3)
		fail(err)
		kept = append(kept, conn)
	}
	percentiles("", micros[200:], cpu()-spent)
}

// takeFresh asks for each connection by its ID the moment that the other end has it, and the pools refill.
func takeFresh() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	server := pool.NewServerPool(64, "", nil, listener, 5*time.Second)
	go server.ServerManager()
	client := pool.NewClientPool(64, 64, time.Millisecond, time.Millisecond, 5*time.Second, "0", listener.Addr().String())
	go client.ClientManager()
	// As they start they cancel what began before.
	time.Sleep(100 * time.Millisecond)
	kept := []net.Conn{}
	var micros []float64
	spent := cpu()
	for range 1100 {
		id, accepted, err := server.IncomingGet(soon)
		fail(err)
		begin := time.Now()
		dialed, err := client.OutgoingGet(id, soon)
		micros = append(micros, float64(time.Since(begin).Nanoseconds())/1e3)
		fail(err)
		kept = append(kept, accepted, dialed)
	}
	percentiles("", micros[100:], cpu()-spent)
}

// wake has a server made by hand, so that the ID leaves when the take waits, and not before.
func wake() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	names, begins := make(chan uint32), make(chan time.Time)
	handler := func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
		if err != nil {
			return
		}
		number, open := <-names
		if !open {
			return
		}
		raw := binary.BigEndian.AppendUint32(nil, number)
		begin := time.Now()
		fail(conn.Write(r.Context(), websocket.MessageBinary, raw))
		begins <- begin
	}
	go http.Serve(listener, http.HandlerFunc(handler))
	client := pool.NewClientPool(16, 16, time.Millisecond, time.Millisecond, 5*time.Second, "0", listener.Addr().String())
	go client.ClientManager()
	// As it starts it cancels what began before.
	time.Sleep(100 * time.Millisecond)
	var micros []float64
	kept := []net.Conn{}
	spent := cpu()
	for number := uint32(1); number <= 110; number++ {
		woken := make(chan time.Time)
		go func() {
			id := hex.EncodeToString(binary.BigEndian.AppendUint32(nil, number))
			conn, err := client.OutgoingGet(id, soon)
			end := time.Now()
			fail(err)
			kept = append(kept, conn)
			woken <- end
		}()
		// At any moment of its pause between two looks.
		time.Sleep(time.Duration(20+number*7%50) * time.Millisecond)
		names <- number
		begin := <-begins
		micros = append(micros, float64((<-woken).Sub(begin).Nanoseconds())/1e3)
	}
	percentiles("", micros[10:], cpu()-spent)
}

// open gives both ends of one connection.
func open(isTLS bool) (accepted, dialed net.Conn) {
	server, client := fill(1, isTLS, false)
	id, accepted, err := server.IncomingGet(soon)
	fail(err)
	dialed, err = client.OutgoingGet(id, soon)
	fail(err)
	return accepted, dialed
}

func stream(isTLS bool) {
	sizes := []struct {
		name        string
		size, total int
	}{{"1KiB", 1 << 10, 32 * mib}, {"32KiB", 32 << 10, 128 * mib}, {"1MiB", mib, 128 * mib}}
	for _, direction := range []string{"up", "down"} {
		accepted, dialed := open(isTLS)
		from, to := dialed, accepted
		if direction == "down" {
			from, to = accepted, dialed
		}
		for _, s := range sizes {
			send(from, to, s.size, s.total/8)
			begin, spent := time.Now(), cpu()
			send(from, to, s.size, s.total)
			wall := time.Since(begin).Seconds()
			report(direction+"/"+s.name, float64(s.total)/mib/wall, cpu()-spent)
		}
	}
}

func send(from, to net.Conn, size, total int) {
	done := make(chan struct{})
	go func() {
		data := make([]byte, size)
		for i := range data {
			data[i] = 0x5a
		}
		for range total / size {
			_, err := from.Write(data)
			fail(err)
		}
		done <- struct{}{}
	}()
	buffer := make([]byte, 64<<10)
	for left := total; left > 0; {
		n, err := to.Read(buffer)
		fail(err)
		left -= n
	}
	<-done
}

func echo(isTLS bool) {
	for _, s := range []struct {
		name string
		size int
	}{{"1B/", 1}, {"1KiB/", 1024}} {
		accepted, dialed := open(isTLS)
		go func() {
			message := make([]byte, s.size)
			for range 5500 {
				_, err := io.ReadFull(accepted, message)
				fail(err)
				_, err = accepted.Write(message)
				fail(err)
			}
		}()
		message := make([]byte, s.size)
		micros := make([]float64, 0, 5500)
		spent := cpu()
		for range 5500 {
			begin := time.Now()
			_, err := dialed.Write(message)
			fail(err)
			_, err = io.ReadFull(dialed, message)
			fail(err)
			micros = append(micros, float64(time.Since(begin).Nanoseconds())/1e3)
		}
		percentiles(s.name, micros[500:], cpu()-spent)
	}
}

// certificate is one on P-256, for X25519; with tickets, sessions can be resumed by whoever tries.
func certificate(tickets bool) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	fail(err)
	return &tls.Config{
		Certificates:           []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		CurvePreferences:       []tls.CurveID{tls.X25519},
		SessionTicketsDisabled: !tickets,
	}
}

func percentiles(prefix string, values []float64, spent float64) {
	sort.Float64s(values)
	for _, p := range []struct {
		name    string
		percent float64
	}{{"p50", 50}, {"p99", 99}} {
		at := float64(len(values)-1) * p.percent / 100
		low, high := values[int(math.Floor(at))], values[int(math.Ceil(at))]
		report(prefix+p.name, low+(high-low)*(at-math.Floor(at)), spent)
	}
}

func report(figure string, value, spent float64) {
	fmt.Println(figure, value, spent)
}

// cpu is the seconds that all threads of this process have had.
func cpu() float64 {
	var usage syscall.Rusage
	fail(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// resident is in KiB, and exact, unlike the counters in statm.
func resident() float64 {
	return field("/proc/self/smaps_rollup", "Rss:")
}

func field(path, name string) float64 {
	text, err := os.ReadFile(path)
	fail(err)
	for _, line := range strings.Split(string(text), "\n") {
		if rest, found := strings.CutPrefix(line, name); found {
			var kib float64
			_, err := fmt.Sscan(rest, &kib)
			fail(err)
			return kib
		}
	}
	return math.NaN()
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
