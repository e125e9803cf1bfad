#!lua
-- Records that commits are lost, and ends the owner's lease.
-- KEYS: meta.  ARGV: known seq, known hash, stored seq, stored hash.  The report with the higher known seq stays.
local lost = redis.call('HGET', KEYS[1], 'lost')
if not lost or tonumber(string.match(lost, '^%d+')) < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'lost', ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
end
redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('HSET', KEYS[1], 'owner', '')
return 1
