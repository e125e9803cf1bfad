#!lua
-- Writes a value for the owner, so that a following WAIT covers everything in the partition.
-- KEYS: meta.  ARGV: fence, owner.  Returns 0 if the caller is not the owner.
local fence, owner = unpack(redis.call('HMGET', KEYS[1], 'fence', 'owner'))
if fence ~= ARGV[1] or owner ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'confirmed', fence)
return 1
