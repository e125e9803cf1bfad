#!lua
-- Releases a partition if the caller still owns it.  KEYS: meta.  ARGV: fence, owner.
local fence, owner = unpack(redis.call('HMGET', KEYS[1], 'fence', 'owner'))
if fence ~= ARGV[1] or owner ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'owner', '')
return 1
