#!lua
-- Extends or ends the lease of a node and returns the living nodes. Nodes that ended more than a minute ago
-- are removed.
-- KEYS: nodes.  ARGV: name, duration of the lease (ms; 0: end it).
-- Returns the server's clock in microseconds and the names of the living nodes.
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
