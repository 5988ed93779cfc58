import { defineScript } from '../redis-script.js'
import { REPLACE_GROUPS } from './lua-parts.js'

/**
 * Gives the shard up. What the owner had handed out counts as delivered; what it had only read ahead does not, nor what
 * is gone: settled by a call whose reply was lost, or lost by a store that went back in time.
 *
 * - KEYS: owner, high, normal, low, deliveries
 * - ARGV: token, then `priority:id` of each entry handed out, not settled and not counted yet
 * - returns: 1 released; 0 it had another owner, or none
 */
export const RELEASE = defineScript(
  'release-v2-k5',
  `
#!lua flags=allow-oom
${REPLACE_GROUPS}
local owner = redis.call('HMGET', KEYS[1], 'token', 'holder')
if owner[1] ~= ARGV[1] or owner[2] == '' then return 0 end
for i = 2, #ARGV do
  local priority, id = string.match(ARGV[i], '^(%d):(.*)$')
  if redis.call('XRANGE', KEYS[2 + priority], id, id)[1] then redis.call('HINCRBY', KEYS[5], ARGV[i], 1) end
end
for priority = 0, 2 do replaceGroups(KEYS[2 + priority], priority, KEYS[5], '0-0') end
redis.call('HSET', KEYS[1], 'holder', '', 'claim', '', 'until', 0)
return 1
`,
)
