package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"
)

// listen makes a host's port be what its transport says.
func (l *lab) listen(host *misbehaving, failures chan<- error) error {
	if host.Transport == "refused" {
		return nil // Nothing listens, so the kernel refuses.
	}
	listener, err := net.Listen("tcp", host.listenAddress())
	if err != nil {
		return err
	}
	var speak func(net.Conn)
	switch host.Transport {
	case "", "tls", "dropped":
		configuration, err := l.tlsOf(host)
		if err != nil {
			return err
		}
		l.serveHTTP(host, tls.NewListener(listener, configuration), failures)
		return nil
	case "plain":
		l.serveHTTP(host, listener, failures)
		return nil
	case "mute":
		speak = func(connection net.Conn) { _, _ = io.Copy(io.Discard, connection) }
	case "closed":
		speak = func(net.Conn) {}
	case "reset":
		speak = func(connection net.Conn) { reset(connection) }
	case "ssh":
		speak = func(connection net.Conn) {
			_, _ = io.WriteString(connection, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
			_, _ = connection.Read(make([]byte, 1024))
		}
	case "hello-closed":
		speak = func(connection net.Conn) { _, _ = connection.Read(make([]byte, 4096)) }
	case "gibberish":
		configuration, err := l.tlsOf(host)
		if err != nil {
			return err
		}
		listener = tls.NewListener(listener, configuration)
		speak = func(connection net.Conn) {
			_, _ = connection.Read(make([]byte, 4096))
			_, _ = io.WriteString(connection, "220 mail.lab.test ESMTP ready\r\n")
		}
	default:
		return fmt.Errorf("no transport is called %q", host.Transport)
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				failures <- err
				return
			}
			go func() {
				defer connection.Close()
				l.journal.write(entry{Host: host.host(), Method: "CONNECT", Agent: vantageOf(connection.RemoteAddr().String())})
				speak(connection)
			}()
		}
	}()
	return nil
}

// reset ends a connection with a reset in place of an orderly end.
func reset(connection net.Conn) {
	if secured, ok := connection.(*tls.Conn); ok {
		connection = secured.NetConn()
	}
	if plain, ok := connection.(*net.TCPConn); ok {
		_ = plain.SetLinger(0)
	}
	_ = connection.Close()
}

func (l *lab) tlsOf(host *misbehaving) (*tls.Config, error) {
	authority, w := l.authority, wish{names: []string{strings.ToLower(host.Name)}, commonName: host.Name}
	switch host.Certificate {
	case "", "good":
	case "expired":
		w.expired = true
	case "future":
		w.future = true
	case "other-name":
		w.names = []string{"another.lab.test"}
	case "common-name":
		w.names = nil
	case "untrusted":
		authority = l.stranger
	case "authority-missing":
		intermediate, err := l.authority.subordinate("an authority in between")
		if err != nil {
			return nil, err
		}
		authority = intermediate
	default:
		return nil, fmt.Errorf("no certificate is called %q", host.Certificate)
	}
	certificate, err := authority.issue(w)
	if err != nil {
		return nil, err
	}
	configuration := &tls.Config{Certificates: []tls.Certificate{certificate}}
	switch host.NewestTLS {
	case "":
	case "1.1":
		configuration.MinVersion, configuration.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	case "1.2":
		configuration.MaxVersion = tls.VersionTLS12
	default:
		return nil, fmt.Errorf("no version of TLS is called %q", host.NewestTLS)
	}
	if host.ClientCertificate {
		configuration.ClientAuth = tls.RequireAnyClientCert
	}
	if host.Certificate == "" {
		return configuration, nil
	}
	good, err := l.tlsOf(&misbehaving{Name: host.Name, NewestTLS: host.NewestTLS})
	configuration.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if l.mended(host) {
			return good, nil
		}
		return configuration, nil
	}
	return configuration, err
}

// connectionKey is where a request finds its own connection.
type connectionKey struct{}

func (l *lab) serveHTTP(host *misbehaving, listener net.Listener, failures chan<- error) {
	server := http.Server{
		Handler:  &play{lab: l, host: host},
		ErrorLog: log.New(io.Discard, "", 0), // refused handshakes are what is wanted
		ConnContext: func(ctx context.Context, connection net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, connection)
		},
		ReadHeaderTimeout: time.Minute,
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failures <- err
		}
	}()
}
