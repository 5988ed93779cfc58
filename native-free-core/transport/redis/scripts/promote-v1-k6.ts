import { defineScript } from '../redis-script.js'
import { checkTypes, NOW_MS } from './lua-parts.js'

/**
 * Puts delayed entries that are due back at the end of their streams.
 *
 * - KEYS: owner, high, normal, low, delayed, held
 * - ARGV: token, how many at most
 * - returns: ms until the next is due (0: more are due now), -1 when none is delayed, -2 when fenced
 */
export const PROMOTE = defineScript(
  'promote-v1-k6',
  `
#!lua flags=allow-oom
${checkTypes(['hash', 'stream', 'stream', 'stream', 'zset', 'hash'])}
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -2 end
${NOW_MS}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', now, 'LIMIT', 0, ARGV[2])) do
  local held = redis.call('HGET', KEYS[6], member)
  if held then
    redis.call('XADD', KEYS[2 + string.sub(member, 1, 1)], '*', unpack(cmsgpack.unpack(held)))
    redis.call('HDEL', KEYS[6], member)
  end
  redis.call('ZREM', KEYS[5], member)
end
local due = redis.call('ZRANGE', KEYS[5], 0, 0, 'WITHSCORES')[2]
return due and math.max(0, tonumber(due) - now) or -1
`,
)
