#!lua
-- Moves the durable mark of a partition to the position that its replicas have confirmed. Only the owner can
-- move it, never back, and never beyond the chain: a server that lost writes can give the same owner the same
-- fence again, and an older lease may still want to mark commits that were lost.
-- KEYS: meta, mark.  ARGV: fence, owner, seq, hash, last outcome.  Returns 0 if the caller is not the owner.
local fence, owner, seq, out, last, hash = unpack(redis.call('HMGET', KEYS[1], 'fence', 'owner', 'mseq', 'mout', 'seq', 'hash'))
if fence ~= ARGV[1] or owner ~= ARGV[2] then return 0 end
local had, wanted, stored = tonumber(seq or '0'), tonumber(ARGV[3]), tonumber(last or '0')
if wanted > stored or (wanted == stored and ARGV[4] ~= (hash or '')) then return 0 end
if wanted < stored then return 1 end -- a later append of the owner will move it further
if wanted == had then
  local a, b = string.match(out or '0-0', '(%d+)-(%d+)')
  local c, d = string.match(ARGV[5], '(%d+)-(%d+)')
  a, b, c, d = tonumber(a), tonumber(b), tonumber(c), tonumber(d)
  if c < a or (c == a and d <= b) then return 1 end
elseif wanted < had then
  return 1
end
redis.call('HSET', KEYS[1], 'mseq', ARGV[3], 'mhash', ARGV[4], 'mout', ARGV[5])
redis.call('XADD', KEYS[2], 'MAXLEN', '1', '*', 'seq', ARGV[3], 'hash', ARGV[4], 'out', ARGV[5])
return 1
