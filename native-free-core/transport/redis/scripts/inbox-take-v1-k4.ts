import { defineScript } from '../redis-script.js'
import { checkTypes, NOW_MS } from './lua-parts.js'

/**
 * Gives the owner the next tasks: first those that were taken before and come after `cursor`, then new ones, which it
 * moves to where they stay until they are settled. Called again with the same cursor it gives the same tasks.
 *
 * - KEYS: owner, taken, arrived, list
 * - ARGV: token, cursor (seq of the last task that this owner was given, 0 at first), how many at most
 * - returns: seq and body of each in turn; -2 when fenced
 *
 * The stream of taken tasks has the seq as its ids: its last id survives when it is empty, so numbers never come again.
 */
export const INBOX_TAKE = defineScript(
  'inbox-take-v1-k4',
  `
#!lua flags=allow-oom
${checkTypes(['hash', 'stream', 'list', 'list'])}
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -2 end
${NOW_MS}
local reply = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '(' .. ARGV[2] .. '-0', '+', 'COUNT', ARGV[3])) do
  table.insert(reply, tonumber(string.match(entry[1], '^%d+')))
  table.insert(reply, entry[2][4])
end
local wanted = ARGV[3] - #reply / 2
local seq = 0
if wanted > 0 and redis.call('EXISTS', KEYS[2]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[2])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then seq = tonumber(string.match(info[i + 1], '^%d+')) end
  end
end
for source = 3, 4 do
  local bodies = wanted > 0 and redis.call('LPOP', KEYS[source], wanted)
  for _, body in ipairs(bodies or {}) do
    seq = seq + 1
    wanted = wanted - 1
    redis.call('XADD', KEYS[2], string.format('%.0f-0', seq), 't', now, 'b', body)
    table.insert(reply, seq)
    table.insert(reply, body)
  end
end
return reply
`,
)
