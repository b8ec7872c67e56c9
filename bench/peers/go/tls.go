package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// secured is the listener with TLS 1.3, a key on P-256 and a certificate signed by itself. The handshake is
// made by the first Read, in the connection's goroutine; crypto/tls gives each connection one ticket.
func secured(plain net.Listener) net.Listener {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err == nil {
		now := time.Now()
		template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"},
			NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(0, 0, 30),
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
		var der []byte
		der, err = x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
		if err == nil {
			return tls.NewListener(plain, &tls.Config{MinVersion: tls.VersionTLS13,
				Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
		}
	}
	fmt.Fprintln(os.Stderr, "tls:", err)
	os.Exit(1)
	return nil
}
