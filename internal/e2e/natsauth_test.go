package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// authority signs certificates for one test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue("ca", true)
	return a
}

// issue writes NAME.pem and NAME.key.
func (a *authority) issue(name string, isCA bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: isCA,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	parent, signer := a.cert, a.key
	if isCA {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	write(a.t, a.path(name+".pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(a.t, a.path(name+".key"), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})))
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// natsTLS: the server is known by its CA, and wants to know who comes.
func natsTLS(l *flagLab) {
	a := newAuthority(l.t)
	a.issue("server", false)
	a.issue("client", false)
	server := servertest.StartNATS(l.t, l.t.TempDir(), servertest.FreePort(l.t), "--tlsverify",
		"--tlscert", a.path("server.pem"), "--tlskey", a.path("server.key"), "--tlscacert", a.path("ca.pem"))
	url := strings.Replace(server.URL, "nats://", "tls://", 1)
	ca, cert := []string{"--nats-ca", a.path("ca.pem")}, []string{"--nats-cert", a.path("client.pem"), "--nats-key", a.path("client.key")}
	l.overNATS(url, append(ca, cert...)...)
	for says, flags := range map[string][]string{
		"certificate": cert, // of nobody known
		"tls":         ca,   // nobody came
		"no such":     append([]string{"--nats-ca", a.path("absent.pem")}, cert...),
		"absent.key":  {"--nats-ca", a.path("ca.pem"), "--nats-cert", a.path("client.pem"), "--nats-key", a.path("absent.key")},
	} {
		start := time.Now()
		r := l.u.run(append(append([]string{"sync", "--nats", url}, flags...), l.src, l.dst)...)
		if r.code != 1 || !strings.Contains(r.errOut, says) || strings.Count(r.errOut, "\n") > 2 || time.Since(start) > 10*time.Second {
			l.t.Errorf("%q: exit %d after %s, want %q: %s", flags, r.code, time.Since(start), says, r.errOut)
		}
	}
	if r := l.u.run("sync", "--nats", url, "--nats-cert", a.path("client.pem"), l.src, l.dst); r.code != 2 || !strings.Contains(r.errOut, "--nats-key") {
		l.t.Errorf("a certificate without key: exit %d: %s", r.code, r.errOut)
	}
}

// natsCreds: the file is read, and its seed signs; the server here lets
// everybody in. The seed is the example of NATS's own documentation.
func natsCreds(l *flagLab) {
	const seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
	file := filepath.Join(l.t.TempDir(), "user.creds")
	write(l.t, file, "-----BEGIN NATS USER JWT-----\neyJ0eXAiOiJKV1QifQ.e30.x\n------END NATS USER JWT------\n\n"+
		"-----BEGIN USER NKEY SEED-----\n"+seed+"\n------END USER NKEY SEED------\n")
	url := servertest.StartNATS(l.t, l.t.TempDir(), servertest.FreePort(l.t)).URL
	l.overNATS(url, "--nats-creds", file)
	r := l.u.run("sync", "--nats", url, "--nats-creds", file+".absent", l.src, l.dst)
	if r.code != 1 || !strings.Contains(r.errOut, ".absent") || strings.Count(r.errOut, "\n") > 2 || strings.Contains(r.errOut, seed) {
		l.t.Errorf("no such file: exit %d: %s", r.code, r.errOut)
	}
	if r := l.u.run("sync", "--nats-creds", file, l.src, l.dst); r.code != 2 || !strings.Contains(r.errOut, "--nats") {
		l.t.Errorf("without --nats: exit %d: %s", r.code, r.errOut)
	}
}
