package libpq

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// encryptedBlocks is valid input of decryptPKCS8 that consists of whole blocks.
func encryptedBlocks(t *testing.T, plain []byte, password string) []byte {
	t.Helper()
	encode := func(v any) asn1.RawValue {
		b, err := asn1.Marshal(v)
		require.NoError(t, err)
		return asn1.RawValue{FullBytes: b}
	}
	salt, iv := bytes.Repeat([]byte{1}, 8), bytes.Repeat([]byte{2}, aes.BlockSize)
	secret, err := pbkdf2.Key(sha256.New, password, salt, 1, 32)
	require.NoError(t, err)
	block, err := aes.NewCipher(secret)
	require.NoError(t, err)
	data := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, plain)
	kdf := pbkdf2Params{Salt: salt, Iterations: 1, PRF: pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}}}
	scheme := pbes2Params{
		KeyDerivation: pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}, Parameters: encode(kdf)},
		Encryption:    pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, Parameters: encode(iv)},
	}
	return encode(encryptedKey{
		Algorithm: pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}, Parameters: encode(scheme)},
		Data:      data,
	}).FullBytes
}

func TestThePaddingOfAnEncryptedKeyIsWhatRFC8018Says(t *testing.T) {
	padded := func(data string, padding ...byte) []byte { return append([]byte(data), padding...) }
	for _, c := range []struct {
		name  string
		plain []byte
		want  string
		wrong bool
	}{
		{name: "one byte", plain: padded("fifteen bytes..", 1), want: "fifteen bytes.."},
		{name: "two bytes", plain: padded("fourteen bytes", 2, 2), want: "fourteen bytes"},
		{name: "a whole block", plain: append([]byte("sixteen bytes..."), bytes.Repeat([]byte{16}, 16)...), want: "sixteen bytes..."},
		{name: "none", plain: padded("fifteen bytes..", 0), wrong: true},
		{name: "more than a block", plain: append([]byte("sixteen bytes..."), bytes.Repeat([]byte{17}, 16)...), wrong: true},
		{name: "more than there is", plain: bytes.Repeat([]byte{17}, 16), wrong: true},
		{name: "not all the same", plain: padded("fourteen bytes", 1, 2), wrong: true},
	} {
		got, err := decryptPKCS8(encryptedBlocks(t, c.plain, "open"), "open")
		if c.wrong {
			assert.ErrorIs(t, err, errKeyPassword, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		assert.Equal(t, c.want, string(got), c.name)
	}
}
