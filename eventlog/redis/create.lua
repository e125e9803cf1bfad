#!lua
-- Makes an empty partition where there is none.  KEYS: meta, inbox.
-- ARGV: format, number of partitions, name of the log.  Returns the format, number and name stored, and '' for
-- each where there is nothing but a reported loss: that a person has to accept.
if redis.call('HEXISTS', KEYS[1], 'format') == 0 and redis.call('HEXISTS', KEYS[1], 'lost') == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[2], 'new', '0', 'MKSTREAM') -- the one way to make an empty stream
  redis.call('XGROUP', 'DESTROY', KEYS[2], 'new')
  redis.call('HSET', KEYS[1], 'format', ARGV[1], 'partitions', ARGV[2], 'log', ARGV[3])
end
local stored = redis.call('HMGET', KEYS[1], 'format', 'partitions', 'log')
return {stored[1] or '', stored[2] or '', stored[3] or ''}
