#!lua
-- Moves the durable mark of a partition to where its replicas are known to be, for the owner alone.
-- KEYS: meta, mark.  ARGV: fence, seq, hash, last outcome.  Returns 1 if it moved.
local fence, seq = unpack(redis.call('HMGET', KEYS[1], 'fence', 'mseq'))
if fence ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'mseq', ARGV[2], 'mhash', ARGV[3], 'mout', ARGV[4])
redis.call('XADD', KEYS[2], 'MAXLEN', '1', '*', 'seq', ARGV[2], 'hash', ARGV[3], 'out', ARGV[4])
return 1
