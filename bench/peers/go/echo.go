package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const idleLimit = time.Minute

// computeFor is what a server does with a piece of input that takes its time.
func computeFor(work time.Duration) {
	for end := time.Now().Add(work); work > 0 && time.Now().Before(end); {
	}
}

func serveEcho(conn net.Conn, work time.Duration) {
	defer conn.Close()
	buffer := make([]byte, 512)
	for {
		conn.SetReadDeadline(time.Now().Add(idleLimit))
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		computeFor(work)
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// echo serves until its standard input ends: a goroutine for each connection.
func echo(j job) {
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", j.number("port", 0)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if j.text("tls", "") != "" {
		listener = secured(listener)
	}
	work := time.Duration(j.number("work", 0)) * time.Microsecond
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			go serveEcho(conn, work)
		}
	}()
	fmt.Println(`{"ready":true}`)
	io.Copy(io.Discard, bufio.NewReader(os.Stdin))
}
