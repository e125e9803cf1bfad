#!lua
-- Says that a node is alive, or is no more, and who is. A node that has ended is dropped after a minute.
-- KEYS: nodes.  ARGV: name, how long it may be silent (ms; 0: it is no more).
-- Returns the server's clock in microseconds and the names of the living.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + ARGV[2]))
end
local all, alive = redis.call('HGETALL', KEYS[1]), {t[1] .. string.format('%06d', t[2])}
for i = 1, #all, 2 do
  if tonumber(all[i + 1]) >= now then
    alive[#alive + 1] = all[i]
  elseif tonumber(all[i + 1]) < now - 60000 then
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return alive
