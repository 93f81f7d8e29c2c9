package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority is a certificate authority that lives as long as the ground:
// nothing to keep, and nothing that expires in a cache.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newAuthority(name string) (*authority, error) { return (&authority{}).subordinate(name) }

// subordinate makes an authority that this one signs for.
func (a *authority) subordinate(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().AddDate(0, -2, 0), // older than the expired certificate
		NotAfter:              time.Now().AddDate(1, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	signer := a
	if a.key == nil { // It signs for itself.
		signer = &authority{template, key}
	}
	certificate, err := signer.sign(template, key)
	return &authority{certificate, key}, err
}

// authorityFiles are where an authority is kept for commands inside the ground.
func authorityFiles(directory string) (certificate, key string) {
	return filepath.Join(directory, "registry-ca.crt"), filepath.Join(directory, "registry-ca.key")
}

func (a *authority) save(directory string) error {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return err
	}
	certificate, key := authorityFiles(directory)
	return errors.Join(
		os.WriteFile(certificate, a.pem(), 0o644),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
}

// loadAuthority is the authority that was saved there.
func loadAuthority(directory string) (*authority, error) {
	pair, err := tls.LoadX509KeyPair(authorityFiles(directory))
	if err != nil {
		return nil, err
	}
	return &authority{pair.Leaf, pair.PrivateKey.(crypto.Signer)}, nil
}

// sign signs for the key, and for itself when it has no certificate yet.
func (a *authority) sign(template *x509.Certificate, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// pem is the authority's certificate, as clients want it.
func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// wish is what a certificate shall say.
type wish struct {
	names        []string // DNS names and addresses
	expired      bool     // since yesterday
	future       bool     // valid from tomorrow
	commonName   string
	organization string // for client certificates: the Kubernetes group
}

func (a *authority) issue(w wish) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: w.commonName},
		NotBefore:   time.Now().AddDate(0, -1, 0),
		NotAfter:    time.Now().AddDate(0, 1, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if w.organization != "" {
		template.Subject.Organization = []string{w.organization}
	}
	if w.expired {
		template.NotAfter = time.Now().AddDate(0, 0, -1)
	}
	if w.future {
		template.NotBefore = time.Now().AddDate(0, 0, 1)
	}
	for _, name := range w.names {
		if address := net.ParseIP(name); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	leaf, err := a.sign(template, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// issueFiles issues a certificate into the files NAME.crt and NAME.key.
func (g *ground) issueFiles(a *authority, name string, w wish) (certificate, key string, err error) {
	issued, err := a.issue(w)
	if err != nil {
		return "", "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(issued.PrivateKey)
	if err != nil {
		return "", "", err
	}
	certificate, key = g.path("certificates", name+".crt"), g.path("certificates", name+".key")
	return certificate, key, errors.Join(
		os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issued.Certificate[0]}), 0o644),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
}

// makeAuthorities makes the two authorities, and the key that signs the tokens
// of service accounts.
func (g *ground) makeAuthorities() (err error) {
	if g.cluster, err = newAuthority("ground cluster CA"); err != nil {
		return err
	}
	if g.registry, err = newAuthority("ground registry CA"); err != nil {
		return err
	}
	if err := g.registry.save(g.path("certificates")); err != nil {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(g.path("cluster-ca.crt"), g.cluster.pem(), 0o644),
		os.WriteFile(g.path("ca.crt"), g.registry.pem(), 0o644),
		os.WriteFile(g.path("certificates", "service-accounts.key"),
			pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600))
}
