#!lua
-- Lets a partition continue after a loss with its remaining content, which may be empty.
-- KEYS: meta, inbox.  ARGV: as for create.lua.
-- Returns 0 if the partition exists and has no open loss.
if redis.call('HEXISTS', KEYS[1], 'lost') == 0 and redis.call('HEXISTS', KEYS[1], 'format') == 1 then return 0 end
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[2], 'new', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', KEYS[2], 'new')
end
redis.call('HSETNX', KEYS[1], 'format', ARGV[1])
redis.call('HSETNX', KEYS[1], 'partitions', ARGV[2])
redis.call('HSETNX', KEYS[1], 'log', ARGV[3])
redis.call('HDEL', KEYS[1], 'lost')
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
return 1
