// SPDX-License-Identifier: BSD-2-Clause

// Tokens for the users of an application: its own server signs them, gateways verify them.
// The standard library is enough; the key stays on the server, and a token lasts ten minutes.
//
//	go run token.go app.key ada        ES256: gateways have app.pem, the public half
//	go run token.go app.secret ada     HS256: gateways have the same file
package main

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type rights struct {
	Read  []string `json:"read"`
	Write []string `json:"write"`
}

// maker signs with the key in a file; its name says which key it is.
type maker struct {
	alg, kid string
	sign     func(text []byte) ([]byte, error)
}

func newMaker(file string) (*maker, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	ext := filepath.Ext(file)
	m := &maker{alg: "ES256", kid: strings.TrimSuffix(filepath.Base(file), ext)}
	if ext == ".secret" {
		m.alg = "HS256"
		m.sign = func(text []byte) ([]byte, error) {
			mac := hmac.New(sha256.New, data)
			mac.Write(text)
			return mac.Sum(nil), nil
		}
		return m, nil
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM in " + file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve.Params().BitSize != 256 {
		return nil, errors.New("no P-256 key in " + file)
	}
	m.sign = func(text []byte) ([]byte, error) {
		digest := sha256.Sum256(text)
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		// r and s side by side, as RFC 7518 has them.
		signature := make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return signature, nil
	}
	return m, nil
}

func (m *maker) token(user string, may rights, lasts time.Duration) (string, error) {
	now := time.Now()
	head, err := json.Marshal(map[string]any{"alg": m.alg, "typ": "JWT", "kid": m.kid})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{
		"sub": user, "iat": now.Unix(), "exp": now.Add(lasts).Unix(), "peal": may,
	})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode(head) + "." + encode(claims)
	signature, err := m.sign([]byte(text))
	if err != nil {
		return "", err
	}
	return text + "." + encode(signature), nil
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: token KEY USER")
		os.Exit(2)
	}
	m, err := newMaker(os.Args[1])
	if err == nil {
		var token string
		may := rights{Read: []string{"team.>"}, Write: []string{"team.{sub}.>"}}
		if token, err = m.token(os.Args[2], may, 10*time.Minute); err == nil {
			fmt.Println(token)
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
