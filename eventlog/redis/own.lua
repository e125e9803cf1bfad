#!lua
-- Takes a partition over if its fence is unchanged and no loss is open.
-- KEYS: meta.  ARGV: expected fence, name of the new owner.
-- Returns the new fence or '', and the ends of the chain and of the outcomes.
local fence, lost, format, seq, hash, out = unpack(redis.call('HMGET', KEYS[1], 'fence', 'lost', 'format', 'seq', 'hash', 'out'))
if not format or lost or (fence or '0') ~= ARGV[1] then return {'', '', '', ''} end
local new = string.format('%.0f', tonumber(ARGV[1]) + 1)
redis.call('HSET', KEYS[1], 'fence', new, 'owner', ARGV[2])
return {new, seq or '0', hash or '', out or '0-0'}
