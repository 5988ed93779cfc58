import { defineScript } from '../redis-script.js'
import { NOW_MS } from './lua-parts.js'

/**
 * Tells that a holder lives, and forgets those that have not told so in time.
 *
 * - KEYS: members
 * - ARGV: holder, memberMs
 * - returns: all living holders
 */
export const BEAT = defineScript(
  'beat-v1-k1',
  `
#!lua flags=allow-oom
${NOW_MS}
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZRANGE', KEYS[1], 0, -1)
`,
)
