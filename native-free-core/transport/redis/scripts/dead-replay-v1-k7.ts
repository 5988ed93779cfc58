import { defineScript } from '../redis-script.js'
import { COUNT_GROUP, REMOVE_DEAD } from './dead-letter-parts.js'
import { checkTypes } from './lua-parts.js'

/**
 * Puts dead letters back at the end of their streams, each in the step that removes it.
 *
 * - KEYS: high, normal, low, dead, bodies and groups of the dead letters, ctl
 * - ARGV: generation from which on letters are worn out, -1 to force; ids
 * - returns for each: 1 replayed; 0 gone; 2 worn out; 3 its body is not kept; fewer than there are ids when it has moved
 *   256 KB, which takes about 1 ms
 *
 * Not allowed when memory is full: Redis then refuses it before its first step.
 */
export const DEAD_REPLAY = defineScript(
  'dead-replay-v1-k7',
  `
#!lua
${checkTypes(['stream', 'stream', 'stream', 'stream', 'hash', 'hash', 'hash'])}
${COUNT_GROUP}
${REMOVE_DEAD}
local keys = {KEYS[4], KEYS[5], KEYS[6], KEYS[7]}
local maxGeneration = tonumber(ARGV[1])
local ofDead = {x = true, m = true, f = true, p = true, o = true, a = true, d = true, w = true, z = true, g = true}

local moved, movedSamples, replayed = 0, 0, 0

local function replay(id)
  local entry = redis.call('XRANGE', KEYS[4], id, id)[1]
  if not entry then return 0 end
  local priority, generation, samples = '1', 0, '0'
  local body = redis.call('HGET', KEYS[5], id)
  local fields = {}
  for i = 1, #entry[2], 2 do
    local name, value = entry[2][i], entry[2][i + 1]
    if name == 'b' then
      body = value
    elseif not ofDead[name] then
      table.insert(fields, name)
      table.insert(fields, value)
    end
    if name == 'p' then priority = value elseif name == 'g' then generation = tonumber(value)
    elseif name == 'n' then samples = value end
  end
  if not body then return 3 end
  if maxGeneration >= 0 and generation >= maxGeneration then return 2 end
  for _, field in ipairs({'g', generation + 1, 'b', body}) do table.insert(fields, field) end
  redis.call('XADD', KEYS[1 + priority], '*', unpack(fields))
  removeDead(keys, entry)
  movedSamples = movedSamples + samples
  moved = moved + #body
  replayed = replayed + 1
  return 1
end

local replies = {}
for i = 2, #ARGV do
  replies[i - 1] = replay(ARGV[i])
  if moved >= 262144 then break end
end
if replayed > 0 then
  countRemoved(keys)
  redis.call('HINCRBY', KEYS[7], 'samples', movedSamples)
  redis.call('HINCRBY', KEYS[7], 'bytes', moved)
  redis.call('HINCRBY', KEYS[7], 'dead-replayed', replayed)
end
return replies
`,
)
