package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tandem/eventlog/sqlite"
)

// refuseLostLog returns an error if the data directory has an installation key but no log: creating a new
// log there would hide the loss.
func refuseLostLog(data string) error {
	if _, err := os.Stat(filepath.Join(data, keyFile)); err != nil {
		return nil // a new directory, or TANDEM_KEY is set
	}
	path := filepath.Join(data, sqlite.FileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the log %s is lost: the data directory has its installation key, but not the log. Restore it, or name another data directory for a new log", path)
	}
	return nil
}

// Files in --data beside the log and the snapshots.
const (
	keyFile      = "key"
	operatorFile = "operator-token.sha256"
)

// installationKey returns the configured key, or else the key in the data directory. It creates that key
// only for an empty log: with a new key over an existing log, repeated requests would have a second effect.
func installationKey(cfg config, empty bool) ([]byte, error) {
	if cfg.key != nil {
		return cfg.key, nil
	}
	path := filepath.Join(cfg.data, keyFile)
	text, err := os.ReadFile(path)
	if err == nil {
		key, err := parseKey(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s is damaged: %w", path, err)
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if !empty {
		return nil, fmt.Errorf("the log is not empty, but its installation key %s is gone: restore it, or set TANDEM_KEY", path)
	}
	key := make([]byte, keySize)
	rand.Read(key) // never fails
	return key, writeSecret(path, hex.EncodeToString(key)+"\n")
}

// operatorToken returns the SHA-256 of the operator's token. The first start without a configured token
// creates one and returns it as fresh, to be shown once. On a shared log it derives from the
// installation key, so that all nodes have the same token.
func operatorToken(cfg config, key []byte) (hash [32]byte, fresh string, err error) {
	if cfg.operatorToken != "" {
		return sha256.Sum256([]byte(cfg.operatorToken)), "", nil
	}
	path := filepath.Join(cfg.data, operatorFile)
	text, err := os.ReadFile(path)
	if err == nil {
		raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil || len(raw) != len(hash) {
			return hash, "", fmt.Errorf("%s is damaged; remove it to get a new token", path)
		}
		return [32]byte(raw), "", nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return hash, "", err
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	if cfg.redis != "" {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte("the operator's token"))
		secret = mac.Sum(nil)
	}
	fresh = "tdm_" + base64.RawURLEncoding.EncodeToString(secret)
	hash = sha256.Sum256([]byte(fresh))
	return hash, fresh, writeSecret(path, hex.EncodeToString(hash[:])+"\n")
}

// writeSecret writes a file that only its owner can read. After a crash the file is complete or absent.
//
// The directory is synced too: after the loss of a key, repeated requests would have a second effect.
func writeSecret(path, text string) error {
	temp := path + ".new"
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
