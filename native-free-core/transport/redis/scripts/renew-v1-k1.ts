import { defineScript } from '../redis-script.js'
import { NOW_MS } from './lua-parts.js'

/**
 * Extends an ownership, of a shard or of the inbox; also one that has ended while nobody else has come.
 *
 * - KEYS: owner
 * - ARGV: token, leaseMs
 * - returns: 1 extended; 0 lost
 */
export const RENEW = defineScript(
  'renew-v1-k1',
  `
#!lua flags=allow-oom
local owner = redis.call('HMGET', KEYS[1], 'token', 'holder')
if owner[1] ~= ARGV[1] or owner[2] == '' then return 0 end
${NOW_MS}
redis.call('HSET', KEYS[1], 'until', now + ARGV[2])
return 1
`,
)
