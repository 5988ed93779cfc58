import { defineScript } from '../redis-script.js'

/**
 * Gives the inbox up.
 *
 * - KEYS: owner
 * - ARGV: token
 * - returns: 1 released; 0 it had another owner, or none
 */
export const INBOX_RELEASE = defineScript(
  'inbox-release-v1-k1',
  `
#!lua flags=allow-oom
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'holder', '', 'claim', '', 'until', 0)
return 1
`,
)
