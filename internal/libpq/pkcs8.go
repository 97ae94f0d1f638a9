package libpq

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // one of the functions that OpenSSL used
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"hash"
)

// A private key that is encrypted as in PKCS #8 (RFC 5958) with PBES2 (RFC 8018),
// which is what OpenSSL writes.
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Params struct {
	KeyDerivation, Encryption pkix.AlgorithmIdentifier
}

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
)

var keyHashes = map[string]func() hash.Hash{
	"":                    sha1.New,
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.11": sha512.New,
}

// keyLengths are the key lengths of AES in CBC mode, in bytes.
var keyLengths = map[string]int{
	"2.16.840.1.101.3.4.1.2":  16,
	"2.16.840.1.101.3.4.1.22": 24,
	"2.16.840.1.101.3.4.1.42": 32,
}

// maxIterations limits the work that a hostile file can cause; OpenSSL uses 2048.
const maxIterations = 10_000_000

func decryptPKCS8(der []byte, password string) ([]byte, error) {
	unsupported := errors.New("its encryption is not supported: encrypt it with AES, as openssl pkcs8 -topk8 -v2 aes256 does")
	var key encryptedKey
	var scheme pbes2Params
	var kdf pbkdf2Params
	var iv []byte
	if !unmarshal(der, &key) || !unmarshal(key.Algorithm.Parameters.FullBytes, &scheme) ||
		!unmarshal(scheme.KeyDerivation.Parameters.FullBytes, &kdf) || !unmarshal(scheme.Encryption.Parameters.FullBytes, &iv) {
		return nil, unsupported
	}
	newHash, length := keyHashes[kdf.PRF.Algorithm.String()], keyLengths[scheme.Encryption.Algorithm.String()]
	switch {
	case key.Algorithm.Algorithm.String() != oidPBES2, scheme.KeyDerivation.Algorithm.String() != oidPBKDF2,
		newHash == nil, length == 0, len(iv) != aes.BlockSize, kdf.Iterations < 1, kdf.Iterations > maxIterations,
		len(key.Data) == 0, len(key.Data)%aes.BlockSize != 0:
		return nil, unsupported
	case password == "":
		return nil, errNoKeyPassword
	}
	secret, err := pbkdf2.Key(newHash, password, kdf.Salt, kdf.Iterations, length)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(key.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, key.Data)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > aes.BlockSize {
		return nil, errKeyPassword
	}
	end := len(plain) - padding
	for _, b := range plain[end:] {
		if int(b) != padding {
			return nil, errKeyPassword
		}
	}
	return plain[:end], nil
}

func unmarshal(der []byte, into any) bool {
	_, err := asn1.Unmarshal(der, into)
	return err == nil
}
