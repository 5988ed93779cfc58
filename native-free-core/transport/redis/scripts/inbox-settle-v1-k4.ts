import { defineScript } from '../redis-script.js'
import { checkTypes } from './lua-parts.js'

/**
 * Removes tasks for good; dead letters go to the end of the dead-letter list, which keeps its newest.
 *
 * - KEYS: owner, taken, dead-letter list, ctl
 * - ARGV: token, most dead letters to keep, number of acks, seq of each; then seq and JSON of each dead letter
 * - returns: 1 settled; 0 fenced
 *
 * Tasks that are gone already are skipped: a settlement may be repeated.
 */
export const INBOX_SETTLE = defineScript(
  'inbox-settle-v1-k4',
  `
#!lua flags=allow-oom
${checkTypes(['hash', 'stream', 'list', 'hash'])}
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
local acks = tonumber(ARGV[3])
for i = 4, 3 + acks do redis.call('XDEL', KEYS[2], ARGV[i] .. '-0') end
for i = 4 + acks, #ARGV, 2 do
  if redis.call('XDEL', KEYS[2], ARGV[i] .. '-0') == 1 then redis.call('RPUSH', KEYS[3], ARGV[i + 1]) end
end
local surplus = redis.call('LLEN', KEYS[3]) - ARGV[2]
if surplus > 0 then
  redis.call('LPOP', KEYS[3], surplus)
  redis.call('HINCRBY', KEYS[4], 'dead-letters-trimmed', surplus)
end
return 1
`,
)
