// Go's crypto/tls as the other end.
//
//	tls client PORT CAFILE: connects twice, sends "hello\n", and prints what comes to the end and what was agreed upon.
//	tls server CERTFILE KEYFILE: prints its port; sends each line back, and ends when the other end does.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func client(port, cafile string) {
	text, err := os.ReadFile(cafile)
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	config := &tls.Config{RootCAs: roots, ServerName: "good.example", NextProtos: []string{"one", "two"},
		ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for i := 0; i < 2; i++ {
		conn, err := tls.Dial("tcp", "127.0.0.1:"+port, config)
		check(err)
		_, err = conn.Write([]byte("hello\n"))
		check(err)
		data, err := io.ReadAll(conn)
		check(err)
		state := conn.ConnectionState()
		fmt.Println(string(data), state.Version, state.NegotiatedProtocol, state.DidResume)
		check(conn.Close())
	}
}

func server(certfile, keyfile string) {
	pair, err := tls.LoadX509KeyPair(certfile, keyfile)
	check(err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair},
		NextProtos: []string{"two"}})
	check(err)
	fmt.Println("listening on port", listener.Addr().(*net.TCPAddr).Port)
	for i := 0; i < 2; i++ {
		conn, err := listener.Accept()
		check(err)
		_, err = io.Copy(conn, bufio.NewReader(conn))
		check(err)
		fmt.Println("the end", conn.(*tls.Conn).ConnectionState().DidResume)
		check(conn.Close())
	}
}

func main() {
	if os.Args[1] == "client" {
		client(os.Args[2], os.Args[3])
	} else {
		server(os.Args[2], os.Args[3])
	}
}
