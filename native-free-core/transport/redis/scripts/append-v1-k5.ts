import { defineScript } from '../redis-script.js'
import { checkTypes } from './lua-parts.js'

/**
 * Stores batches of one numbering, one after the other; each unless it, or one after it, is stored already. Many in one
 * call share its fixed cost, which is as large as that of storing 8 KB.
 *
 * - KEYS: high, normal, low, hwm, ctl
 * - ARGV: field of the high water; then of each batch: priority, after, seq, correlation id, handler, samples,
 *   firstTakenAtUs, bytes of the body, body
 * - returns for each: -1 stored; -2 duplicate; the high water for a gap; or the text of an error
 *
 * Not allowed when memory is full: Redis then refuses it before its first step.
 */
export const APPEND = defineScript(
  'append-v1-k5',
  `
#!lua
${checkTypes(['stream', 'stream', 'stream', 'hash', 'hash'])}
local before = redis.call('HGET', KEYS[4], ARGV[1]) or '0'
local last, high = before, tonumber(before)
local samples, bytes = 0, 0
local replies = {}
for at = 2, #ARGV, 9 do
  local reply
  if high >= tonumber(ARGV[at + 2]) then
    reply = -2
  elseif high ~= tonumber(ARGV[at + 1]) then
    reply = high
  else
    local id = redis.pcall('XADD', KEYS[1 + ARGV[at]], '*', 'c', ARGV[at + 3], 'h', ARGV[at + 4], 'n', ARGV[at + 5],
      't', ARGV[at + 6], 'b', ARGV[at + 8])
    if type(id) == 'table' then
      reply = id.err
    else
      last = ARGV[at + 2]
      high = tonumber(last)
      samples = samples + ARGV[at + 5]
      bytes = bytes + ARGV[at + 7]
      reply = -1
    end
  end
  table.insert(replies, reply)
end
if last ~= before then
  redis.call('HSET', KEYS[4], ARGV[1], last)
  redis.call('HINCRBY', KEYS[5], 'samples', samples)
  redis.call('HINCRBY', KEYS[5], 'bytes', bytes)
end
return replies
`,
)
