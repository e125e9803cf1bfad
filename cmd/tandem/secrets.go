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

// refuseLostLog refuses to begin a new log where there has been one: its key is there and it is not.
func refuseLostLog(data string) error {
	if _, err := os.Stat(filepath.Join(data, keyFile)); err != nil {
		return nil // a new directory, or a key from the environment
	}
	path := filepath.Join(data, sqlite.FileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the log %s is lost: its installation key is here, but it is not. Restore it, or name another data directory to begin a new one", path)
	}
	return nil
}

// What --data holds beside the log and the snapshots.
const (
	keyFile      = "key"
	operatorFile = "operator-token.sha256"
)

// installationKey returns the configured key, else the one kept in the data directory, which it
// makes for a log that is empty. With a new key over a known log, repeated requests would be new ones.
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
		return nil, fmt.Errorf("the log has a history, but its installation key %s is gone: restore it, or give it as TANDEM_KEY", path)
	}
	key := make([]byte, keySize)
	rand.Read(key) // never fails: crypto/rand ends the program instead
	return key, writeSecret(path, hex.EncodeToString(key)+"\n")
}

// operatorToken returns the SHA-256 of the operator's token. The first start without a configured
// one makes it and returns it as fresh, to be shown this once. On a shared log it derives from the
// installation key, so that it is the same on every node.
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

// writeSecret writes a new file that only its owner can read, so that it is there whole or not at
// all after a crash.
//
// The directory is synced too: a key that a power cut took away would make repeated requests new ones.
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
