"""What the stream log does inside Redis, atomically: Lua scripts."""

from __future__ import annotations

APPEND_SCRIPT = """
local seen = tonumber(redis.call('GET', KEYS[1]) or '0')
local epoch = tonumber(ARGV[1])
if epoch < seen then
  return redis.error_reply('FENCED epoch ' .. ARGV[1] .. ' wrote after epoch ' .. seen)
end
if epoch > seen then
  redis.call('SET', KEYS[1], ARGV[1])
end
local lost = {}
for _, entry in ipairs(cmsgpack.unpack(ARGV[7])) do
  local generation, seq, kind, payload = entry[1], entry[2], entry[3], entry[4]
  local key = ARGV[2] .. ':stream:' .. generation
  local last = 0
  if kind == 1 then
    redis.call('DEL', key)
  else
    local tail = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
    if tail then
      last = tonumber(string.match(tail[1], '^%d+'))
    end
  end
  if kind == 1 or seq == last + 1 then
    redis.call('XADD', key, 'MAXLEN', ARGV[4], seq .. '-0', kind, payload)
    if kind == 2 then
      redis.call('EXPIRE', key, ARGV[6])
      redis.call('DEL', ARGV[2] .. ':notice:' .. generation)
    elseif last == 0 then
      redis.call('EXPIRE', key, ARGV[5])
    end
  elseif seq > last then
    lost[#lost + 1] = generation
  end
end
redis.call('PUBLISH', ARGV[3], ARGV[7])
return lost
"""
"""One call per engine step: fence, append, bound, expire, publish; atomic.

KEYS: the owner's epoch. ARGV: epoch, key prefix, channel, entries per stream, seconds that a stream lives at
most, seconds that it lives after its end, and the step as one MessagePack array of [generation, seq, kind,
payload]. The same bytes are published, so that readers decode what the writer encoded. Streams are keyed by
prefix inside one hash tag: all on one shard of a cluster. Returns the generations whose event does not follow
what their stream holds."""

STATUS_SCRIPT = """
for _, entry in ipairs(cmsgpack.unpack(ARGV[4])) do
  redis.call('SET', ARGV[1] .. ':notice:' .. entry[1], entry[4], 'EX', ARGV[3])
end
redis.call('PUBLISH', ARGV[2], ARGV[4])
"""
"""Replaces the latest status of generations and publishes it. ARGV: key prefix, channel, lifetime, step."""
