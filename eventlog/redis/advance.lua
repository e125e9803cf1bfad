#!lua
-- Moves the checkpoint of a topic that belongs to no partition, never back.
-- KEYS: inbox, checkpoint.  ARGV: ms, seq, trim below.
local ms, seq = string.match(redis.call('GET', KEYS[2]) or '0-0', '(%d+)-(%d+)')
ms, seq = tonumber(ms), tonumber(seq)
local toms, toseq = tonumber(ARGV[1]), tonumber(ARGV[2])
if toms < ms or (toms == ms and toseq <= seq) then return 0 end
redis.call('SET', KEYS[2], ARGV[1] .. '-' .. ARGV[2])
redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[3])
return 1
