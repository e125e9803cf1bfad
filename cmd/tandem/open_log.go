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

// openLog opens the log that the configuration names.
func openLog(ctx context.Context, cfg config, logger *slog.Logger) (eventlog.Log, error) {
	if cfg.redis == "" {
		if err := refuseLostLog(cfg.data); err != nil {
			return nil, err
		}
		log, err := sqlite.Open(ctx, sqlite.Config{Dir: cfg.data, Logger: logger, Now: cfg.clock()})
		if err != nil {
			return nil, err
		}
		return log, nil
	}
	if err := os.MkdirAll(cfg.data, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory cannot be created: %w", err)
	}
	if _, err := os.Stat(filepath.Join(cfg.data, sqlite.FileName)); err == nil {
		logger.Warn("the data directory also has an embedded log, which is not used; tandem log copy can copy it to Redis", "data", cfg.data)
	}
	log, err := redis.Open(ctx, redisConfig(cfg, logger))
	if err != nil {
		return nil, err
	}
	return log, nil
}

func redisConfig(cfg config, logger *slog.Logger) redis.Config {
	return redis.Config{
		URL: cfg.redis, Durability: redis.Durability(cfg.durability), Replicas: cfg.replicas, Logger: logger,
	}
}

// claimInstallation returns an error if the log belongs to an installation with another key. The log stores a
// fingerprint of the key.
func claimInstallation(ctx context.Context, log eventlog.Log, key []byte) error {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("installation key of this log"))
	return log.ClaimInstallation(ctx, hex.EncodeToString(mac.Sum(nil)))
}

// staleAfter is the largest age of the state that a node serves: within it, a token that was revoked on another node
// is refused here too.
const staleAfter = 2 * time.Second

// checkFresh returns an error while this node's state may be older than staleAfter.
func checkFresh(log eventlog.Log) error {
	if staleness := log.Staleness(); staleness > staleAfter {
		return fmt.Errorf("this node has received nothing from the log for %s", staleness.Round(100*time.Millisecond))
	}
	return nil
}
