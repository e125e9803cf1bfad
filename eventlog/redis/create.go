package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"tandem/eventlog"
)

// format is the version of the keys and their content.
const format = 1

// create creates the missing partitions of a new log. It refuses a log of another format, and leaves the missing
// partitions of a used log alone. It creates the first partition last, so that it can detect and finish an interrupted
// creation.
func (l *Log) create(ctx context.Context) error {
	there, err := l.readMetas(ctx, "format", "seq")
	if err != nil {
		return err
	}
	var missing []eventlog.Partition
	used := false
	for partition, fields := range there {
		if fields[0] == "" {
			missing = append(missing, eventlog.Partition(partition))
		}
		used = used || fields[1] != ""
	}
	if used && len(missing) > 0 {
		l.cfg.Logger.Error("some partitions are missing on the server", "partitions", missing)
	} else if len(missing) == eventlog.Partitions {
		l.cfg.Logger.Info("creating a new log", "server", l.addr.display)
	}
	name := uuid.NewString()
	for i := range there {
		partition := eventlog.Partitions - 1 - i
		if used && there[partition][0] == "" {
			continue // its commits may have been read
		}
		if err := l.createOne(ctx, eventlog.Partition(partition), &name); err != nil {
			return err
		}
	}
	l.name = name
	return nil
}

// ClaimInstallation stores the fingerprint of the first caller; another one is an error.
func (l *Log) ClaimInstallation(ctx context.Context, fingerprint string) error {
	if err := l.checkOpen(ctx); err != nil {
		return err
	}
	meta := l.keys[0].meta
	// This does not wait for replicas: a fingerprint that is lost with its server is stored again by the next start.
	if err := l.client.HSetNX(ctx, meta, "claim", fingerprint).Err(); err != nil {
		return fmt.Errorf("claim the log: %w", explain(err))
	}
	stored, err := l.client.HGet(ctx, meta, "claim").Result()
	if err != nil {
		return fmt.Errorf("claim the log: %w", explain(err))
	}
	if stored != fingerprint {
		return errors.New("this log belongs to an installation with another key: start every node with the same TANDEM_KEY")
	}
	return nil
}

// createOne creates a partition if it is missing, and checks an existing one. The name of the log is that of the first
// partition that has one.
func (l *Log) createOne(ctx context.Context, partition eventlog.Partition, name *string) error {
	keys := l.keys[partition]
	stored, err := l.client.Eval(ctx, l.scripts.create.source, []string{keys.meta, keys.commands}, format, eventlog.Partitions, *name).StringSlice()
	if err == nil && len(stored) != 3 {
		err = fmt.Errorf("the script answered %q", stored)
	}
	if err != nil {
		return fmt.Errorf("create partition %d: %w", partition, err)
	}
	if stored[0] == "" {
		return nil // the partition has only a loss, which an operator must accept
	}
	if stored[0] != strconv.Itoa(format) {
		return fmt.Errorf("partition %d has format %s, this program reads up to %d: %w", partition, stored[0], format, eventlog.ErrNewer)
	}
	if stored[1] != strconv.Itoa(eventlog.Partitions) {
		return fmt.Errorf("the log has %s partitions, this program has %d: %w", stored[1], eventlog.Partitions, eventlog.ErrDamaged)
	}
	*name = stored[2]
	return nil
}
