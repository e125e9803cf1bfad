#!lua
-- Gives a partition up, if it is still the caller's.  KEYS: meta.  ARGV: fence.
if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'owner', '')
return 1
