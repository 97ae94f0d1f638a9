package libpq

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNamesOfCertificates(t *testing.T) {
	named := func(cn string, names ...string) *x509.Certificate {
		cert := &x509.Certificate{Subject: pkix.Name{CommonName: cn}}
		for _, n := range names {
			if ip := net.ParseIP(n); ip != nil {
				cert.IPAddresses = append(cert.IPAddresses, ip)
			} else {
				cert.DNSNames = append(cert.DNSNames, n)
			}
		}
		return cert
	}
	for _, tt := range []struct {
		name string
		cert *x509.Certificate
		host string
		want bool
	}{
		{"an alternative name", named("", "a.test", "b.test"), "b.test", true},
		{"in upper case", named("", "A.test"), "a.TEST", true},
		{"a common name", named("a.test"), "a.test", true},
		{"a common name beside alternative names", named("a.test", "b.test"), "a.test", false},
		{"a common name beside addresses", named("a.test", "10.0.0.1"), "a.test", true},
		{"an address", named("", "10.0.0.1"), "10.0.0.1", true},
		{"an address of IPv6 in another spelling", named("", "2001:db8::1"), "2001:db8:0:0::1", true},
		{"an address in the common name", named("10.0.0.1"), "10.0.0.1", true},
		{"an address in the common name beside others", named("10.0.0.1", "10.0.0.2"), "10.0.0.1", false},
		{"an asterisk", named("", "*.test"), "a.test", true},
		{"an asterisk stands for one label", named("", "*.test"), "a.b.test", false},
		{"an asterisk stands for something", named("", "*.test"), ".test", false},
		{"an asterisk elsewhere", named("", "a*.test"), "ab.test", false},
		{"an asterisk and an address", named("", "*.0.0.1"), "10.0.0.1", false},
		{"no name at all", named(""), "a.test", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, verifyName(tt.cert, tt.host) == nil)
		})
	}
}

// TestEncryptedKeys decrypts keys made with "openssl pkcs8 -topk8" and "openssl ec".
func TestEncryptedKeys(t *testing.T) {
	read := func(name string) []byte {
		content, err := os.ReadFile(filepath.Join("testdata/keys", name+".key"))
		require.NoError(t, err)
		return content
	}
	var keys []any
	for _, name := range []string{"aes256", "aes128-sha1", "traditional"} {
		_, err := decryptKey(read(name), "")
		assert.ErrorIs(t, err, errNoKeyPassword, name)
		content, err := decryptKey(read(name), "open")
		require.NoError(t, err, name)
		block, _ := pem.Decode(content)
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			key, err = x509.ParseECPrivateKey(block.Bytes)
		}
		require.NoError(t, err, name)
		keys = append(keys, key)
		if other, err := decryptKey(read(name), "shut"); err == nil { // one time in 256 the padding looks right
			block, _ := pem.Decode(other)
			_, err = x509.ParsePKCS8PrivateKey(block.Bytes)
			assert.Error(t, err, name)
		}
	}
	assert.Equal(t, keys[0], keys[1])
	assert.Equal(t, keys[0], keys[2])
	for _, name := range []string{"des3", "scrypt"} {
		_, err := decryptKey(read(name), "open")
		assert.ErrorContains(t, err, "its encryption is not supported", name)
	}
	_, err := decryptKey([]byte("nothing"), "")
	assert.ErrorContains(t, err, "there is no key in it")
}

func FuzzDecryptPKCS8(f *testing.F) {
	for _, name := range []string{"aes256", "aes128-sha1", "des3", "scrypt"} {
		content, err := os.ReadFile(filepath.Join("testdata/keys", name+".key"))
		require.NoError(f, err)
		block, _ := pem.Decode(content)
		f.Add(block.Bytes)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if plain, err := decryptPKCS8(der, ""); err == nil {
			t.Errorf("opened without a password: %x", plain)
		}
	})
}
