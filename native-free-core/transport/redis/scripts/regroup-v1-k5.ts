import { defineScript } from '../redis-script.js'
import { checkTypes, REPLACE_GROUPS } from './lua-parts.js'

/**
 * Gives the owner a new consumer group after a read whose reply may be lost: the group begins after the last entries
 * that the owner handed out, so what was lost comes again, and a read of the old connection that reaches Redis late
 * finds its group gone.
 *
 * - KEYS: owner, high, normal, low, deliveries
 * - ARGV: token, number of the group (grows), last id handed out of high, of normal, of low
 * - returns: 1 done; 0 the shard has another owner
 */
export const REGROUP = defineScript(
  'regroup-v1-k5',
  `
#!lua flags=allow-oom
${checkTypes(['hash', 'stream', 'stream', 'stream', 'hash'])}
${REPLACE_GROUPS}
local owner = redis.call('HMGET', KEYS[1], 'token', 'group')
if owner[1] ~= ARGV[1] then return 0 end
if tonumber(owner[2]) >= tonumber(ARGV[2]) then return redis.error_reply('BUSY a later group was made already') end
for priority = 0, 2 do
  local last = ARGV[3 + priority]
  replaceGroups(KEYS[2 + priority], priority, KEYS[5], last, 'g' .. ARGV[1] .. '.' .. ARGV[2], last)
end
redis.call('HSET', KEYS[1], 'group', ARGV[2])
return 1
`,
)
