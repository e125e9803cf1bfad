#!lua
-- Appends one batch to a partition, or nothing: the right to write, the end of the chain and the
-- checkpoint are compared first, even for a batch without commits. A batch that came before,
-- because its answer got lost, is recognised by its name and changes nothing.
--
-- KEYS: meta, log, outcomes, inbox, records, dead letters, values, mark
-- ARGV: batch, fence, head seq, head hash, from, to, trim inbox below, end seq, end hash,
--       mark at once (1 or 0), drop records of before (ms), records ('' for none), and the numbers
--       of commits, outcomes, dead letters and values, followed by those: a value is key, '+' or
--       '-', and bytes.
-- Returns what happened, and the last outcome's id before and after; a conflict returns the fence.
local fence, seq, hash, cp, out, last, format =
  unpack(redis.call('HMGET', KEYS[1], 'fence', 'seq', 'hash', 'cp', 'out', 'batch', 'format'))
out = out or '0-0'
if not format then return {'GONE', '', ''} end
if last == ARGV[1] then return {'AGAIN', out, out} end
if fence ~= ARGV[2] or (seq or '0') ~= ARGV[3] or (hash or '') ~= ARGV[4] or (cp or '0-0') ~= ARGV[5] then
  return {'CONFLICT', fence or '0', ''}
end
local commits, outcomes, letters, values = tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16])
local at, first, before = 16, tonumber(ARGV[3]), out
for i = 1, commits do
  redis.call('XADD', KEYS[2], string.format('%.0f-0', first + i), 'c', ARGV[at + i])
end
at = at + commits
for i = 1, outcomes do
  out = redis.call('XADD', KEYS[3], 'MAXLEN', '~', '4096', ARGV[8] .. '-*', 'o', ARGV[at + i])
end
at = at + outcomes
for i = 1, letters do
  redis.call('XADD', KEYS[6], '*', 'd', ARGV[at + i])
end
at = at + letters
for i = 1, values do
  if ARGV[at + 2] == '+' then
    redis.call('HSET', KEYS[7], ARGV[at + 1], ARGV[at + 3])
  else
    redis.call('HDEL', KEYS[7], ARGV[at + 1])
  end
  at = at + 3
end
if ARGV[12] ~= '' then
  redis.call('XADD', KEYS[5], 'MINID', '~', ARGV[11], '*', 'r', ARGV[12])
end
if ARGV[6] ~= ARGV[5] then
  redis.call('XTRIM', KEYS[4], 'MINID', '=', ARGV[7])
end
redis.call('HSET', KEYS[1], 'seq', ARGV[8], 'hash', ARGV[9], 'cp', ARGV[6], 'out', out, 'batch', ARGV[1])
if ARGV[10] == '1' then
  redis.call('XADD', KEYS[8], 'MAXLEN', '1', '*', 'seq', ARGV[8], 'hash', ARGV[9], 'out', out)
end
return {'OK', before, out}
