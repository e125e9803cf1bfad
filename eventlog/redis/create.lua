#!lua
-- Makes an empty partition where there is none.  KEYS: meta, inbox.
-- ARGV: format, number of partitions, name of the log.  Returns the format, number and name stored.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[2], 'new', '0', 'MKSTREAM') -- the one way to make an empty stream
  redis.call('XGROUP', 'DESTROY', KEYS[2], 'new')
  redis.call('HSET', KEYS[1], 'format', ARGV[1], 'partitions', ARGV[2], 'log', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'format', 'partitions', 'log')
