#!lua
-- Creates an empty partition if there is none.  KEYS: meta, inbox.
-- ARGV: format, number of partitions, name of the log.  Returns the stored format, number and name. They are
-- '' if the partition has only a reported loss, which an operator must accept.
if redis.call('HEXISTS', KEYS[1], 'format') == 0 and redis.call('HEXISTS', KEYS[1], 'lost') == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[2], 'new', '0', 'MKSTREAM') -- the only way to create an empty stream
  redis.call('XGROUP', 'DESTROY', KEYS[2], 'new')
  redis.call('HSET', KEYS[1], 'format', ARGV[1], 'partitions', ARGV[2], 'log', ARGV[3])
end
local stored = redis.call('HMGET', KEYS[1], 'format', 'partitions', 'log')
return {stored[1] or '', stored[2] or '', stored[3] or ''}
