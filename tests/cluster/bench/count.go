package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
)

// counter is a way to the registry that counts what goes over it. It ends TLS with the registry's own
// certificate, so that it sees requests, and asks the registry itself.
type counter struct {
	server *http.Server
	// bytes are those of TCP, in both directions and with the handshakes.
	connections, requests, bytes atomic.Int64
}

func startCounter(state string) (*counter, error) {
	certificate := filepath.Join(state, "certificates", registry)
	pair, err := tls.LoadX509KeyPair(certificate+".crt", certificate+".key")
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(filepath.Join(state, "ca.crt"))
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(authority) {
		return nil, errors.New("the ground's authority cannot be read")
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	c := &counter{}
	way := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "https", Host: upstream})
	way.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, ServerName: registry}}
	c.server = &http.Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}},
		Handler: http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
			c.requests.Add(1)
			way.ServeHTTP(answer, request)
		}),
	}
	go c.server.ServeTLS(countingListener{listener, c}, "", "")
	return c, nil
}

type countingListener struct {
	net.Listener
	counter *counter
}

func (l countingListener) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.counter.connections.Add(1)
	return countingConnection{connection, l.counter}, nil
}

type countingConnection struct {
	net.Conn
	counter *counter
}

func (c countingConnection) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	c.counter.bytes.Add(int64(n))
	return n, err
}

func (c countingConnection) Write(content []byte) (int, error) {
	n, err := c.Conn.Write(content)
	c.counter.bytes.Add(int64(n))
	return n, err
}

// total is what one of them asked for, once it is over.
type total struct{ connections, requests, bytes float64 }

// count lets each of them ask once.
func count(contenders []contender, state string, environment []string) error {
	totals := map[string]total{}
	for _, contender := range contenders {
		c, err := startCounter(state)
		if err != nil {
			return err
		}
		_, err = contender.run(environment)
		if err := errors.Join(err, c.server.Close()); err != nil {
			return err
		}
		totals[contender.name] = total{
			float64(c.connections.Load()), float64(c.requests.Load()), float64(c.bytes.Load())}
	}
	ours := totals[verdict]
	var said error
	for _, name := range []string{manifest, walked, pulled} {
		others := totals[name]
		for _, row := range []struct {
			what, unit  string
			own, others float64
		}{
			{"requests", "requests", ours.requests, others.requests},
			{"connections", "connections", ours.connections, others.connections},
			{"bytes, with TLS", "B", ours.bytes, others.bytes},
		} {
			said = errors.Join(said, figure{
				Part: "one probe, what it asks", What: row.what, Unit: row.unit, Ours: row.own,
				Reference: &reference{name, row.others},
			}.say())
		}
	}
	return said
}
