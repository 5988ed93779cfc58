import { defineScript } from '../redis-script.js'

/**
 * Stores one batch unless it, or one after it, is stored already.
 *
 * - KEYS: stream, hwm, ctl
 * - ARGV: field of the high water, after, seq, correlation id, handler, samples, firstTakenAtUs, body, bytes of the body
 * - returns: -1 stored; -2 duplicate; otherwise a gap: the high water
 *
 * Not allowed when memory is full: Redis then refuses it before its first step.
 */
export const APPEND = defineScript(
  'append-v1-k3',
  `
#!lua
local high = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
if high >= tonumber(ARGV[3]) then return -2 end
if high ~= tonumber(ARGV[2]) then return high end
redis.call('HINCRBY', KEYS[3], 'samples', ARGV[6])
redis.call('HINCRBY', KEYS[3], 'bytes', ARGV[9])
local id = redis.pcall('XADD', KEYS[1], '*', 'c', ARGV[4], 'h', ARGV[5], 'n', ARGV[6], 't', ARGV[7], 'b', ARGV[8])
if type(id) == 'table' then
  redis.call('HINCRBY', KEYS[3], 'samples', 0 - ARGV[6])
  redis.call('HINCRBY', KEYS[3], 'bytes', 0 - ARGV[9])
  return id
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return -1
`,
)
