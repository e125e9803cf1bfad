package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"tandem/eventlog"
	"tandem/eventlog/redis"
	"tandem/eventlog/sqlite"
)

// openedLog is the installation's log and what is different about one that nodes share.
type openedLog struct {
	eventlog.Log
	shared *redis.Log // nil: the embedded one, of this process alone
}

// openLog opens the log that the configuration names.
func openLog(ctx context.Context, cfg config, logger *slog.Logger) (openedLog, error) {
	if cfg.redis == "" {
		if err := refuseLostLog(cfg.data); err != nil {
			return openedLog{}, err
		}
		log, err := sqlite.Open(ctx, sqlite.Config{Dir: cfg.data, Logger: logger})
		return openedLog{Log: log}, err
	}
	if err := os.MkdirAll(cfg.data, 0o700); err != nil {
		return openedLog{}, fmt.Errorf("the data directory cannot be made: %w", err)
	}
	if _, err := os.Stat(filepath.Join(cfg.data, sqlite.FileName)); err == nil {
		logger.Warn("the data directory has an embedded log too, which is not used; tandem log copy moves it", "data", cfg.data)
	}
	log, err := redis.Open(ctx, redisConfig(cfg, logger))
	return openedLog{Log: log, shared: log}, err
}

func redisConfig(cfg config, logger *slog.Logger) redis.Config {
	return redis.Config{
		URL: cfg.redis, Durability: redis.Durability(cfg.durability), Replicas: cfg.replicas, Logger: logger,
	}
}

// claim makes sure that all nodes of a shared log have the same installation key.
func (l openedLog) claim(ctx context.Context, key []byte) error {
	if l.shared == nil {
		return nil
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("installation key of this log"))
	return l.shared.ClaimInstallation(ctx, hex.EncodeToString(mac.Sum(nil)))
}

// staleAfter is how old what a node serves may be, at most: a token that was revoked elsewhere is
// refused after that.
const staleAfter = 2 * time.Second

// fresh returns an error while the node serves what may be too old.
func (l openedLog) fresh() error {
	if l.shared == nil {
		return nil
	}
	if silent := l.shared.Staleness(); silent > staleAfter {
		return fmt.Errorf("this node has heard nothing from the log for %s", silent.Round(100*time.Millisecond))
	}
	return nil
}

// acceptNew returns an error while the log has no room for more roots.
func (l openedLog) acceptNew() error {
	if l.shared == nil {
		return nil
	}
	return l.shared.CheckCapacity()
}
