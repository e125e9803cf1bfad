#!lua
-- Appends one batch to a partition, or nothing. It first compares the owner, its fencing token, the head and
-- the checkpoint, also for a batch without commits. A batch that is sent again because its reply was lost is
-- recognised by its name and changes nothing.
--
-- KEYS: meta, log, outcomes, inbox, records, dead letters, values, mark
-- ARGV: batch, fence, owner, head seq, head hash, from, to, trim inbox below, end seq, end hash,
--       mark at once (1 or 0), drop records older than (ms), records ('' for none), and the numbers
--       of commits, outcomes, dead letters and values, followed by those: a value is key, '+' or
--       '-', and bytes.
-- Returns the result, and the id of the last outcome before and after; a conflict returns fence and owner.
local fence, owner, seq, hash, cp, out, last, format =
  unpack(redis.call('HMGET', KEYS[1], 'fence', 'owner', 'seq', 'hash', 'cp', 'out', 'batch', 'format'))
out = out or '0-0'
if not format then return {'GONE', '', ''} end
if last == ARGV[1] then
  redis.call('HSET', KEYS[1], 'batch', last) -- so that a WAIT on this connection covers it
  return {'AGAIN', out, out}
end
if fence ~= ARGV[2] or owner ~= ARGV[3] or (seq or '0') ~= ARGV[4] or (hash or '') ~= ARGV[5] or (cp or '0-0') ~= ARGV[6] then
  return {'CONFLICT', fence or '0', owner or ''}
end
if ARGV[7] ~= ARGV[6] and #redis.call('XRANGE', KEYS[4], ARGV[7], ARGV[7]) == 0 then
  return {'MISSING', '', ''} -- it was read before the server lost it; newer messages may have smaller ids
end
local commits, outcomes, letters, values = tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17])
local at, first, before = 17, tonumber(ARGV[4]), out
for i = 1, commits do
  redis.call('XADD', KEYS[2], string.format('%.0f-0', first + i), 'c', ARGV[at + i])
end
at = at + commits
for i = 1, outcomes do
  out = redis.call('XADD', KEYS[3], 'MAXLEN', '~', '4096', ARGV[9] .. '-*', 'o', ARGV[at + i])
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
if ARGV[13] ~= '' then
  redis.call('XADD', KEYS[5], 'MINID', '~', ARGV[12], '*', 'r', ARGV[13])
end
if ARGV[7] ~= ARGV[6] then
  redis.call('XTRIM', KEYS[4], 'MINID', '=', ARGV[8])
end
redis.call('HSET', KEYS[1], 'seq', ARGV[9], 'hash', ARGV[10], 'cp', ARGV[7], 'out', out, 'batch', ARGV[1])
if ARGV[11] == '1' then
  redis.call('XADD', KEYS[8], 'MAXLEN', '1', '*', 'seq', ARGV[9], 'hash', ARGV[10], 'out', out)
end
return {'OK', before, out}
