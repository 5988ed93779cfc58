import { defineScript } from '../redis-script.js'
import { checkTypes } from './lua-parts.js'

/**
 * Looks through a stretch of a stream, of dead letters or of batches, for entries that match.
 *
 * - KEYS: stream
 * - ARGV: `up` or `down`; first id and last id in that direction, as XRANGE takes them; how many to find at most; class,
 *   fingerprint, correlation id to match (of the batch, or of a batch that it is a part of), each empty for any
 * - returns: [1 when all of the stretch was looked through, last id looked at or '', then id and fields of each in turn]:
 *   the fields are those of the stream without the body; `z` is its size
 *
 * Stops after some 150 entries, or 128 KB, bodies included, where the stream has them: about 1 ms.
 */
export const SCAN = defineScript(
  'scan-v2-k1',
  `
#!lua flags=no-writes,allow-oom
${checkTypes(['stream'])}
local command = ARGV[1] == 'up' and 'XRANGE' or 'XREVRANGE'
local from, wanted = ARGV[2], tonumber(ARGV[4])
local reply, seen, bytes = {0, ''}, 0, 0

local function withoutBody(fields)
  local kept = {}
  for i = 1, #fields, 2 do
    local isBody = fields[i] == 'b'
    table.insert(kept, isBody and 'z' or fields[i])
    table.insert(kept, isBody and tostring(#fields[i + 1]) or fields[i + 1])
  end
  return kept
end

while true do
  local page = redis.call(command, KEYS[1], from, ARGV[3], 'COUNT', 25)
  for _, entry in ipairs(page) do
    local fields = entry[2]
    local kind, mark, about = '', 'ungrouped', ''
    for i = 1, #fields, 2 do
      local name = fields[i]
      if name == 'x' then
        kind = fields[i + 1]
      elseif name == 'f' then
        mark = fields[i + 1]
      elseif name == 'c' then
        about = fields[i + 1]
      elseif name == 'b' then
        bytes = bytes + #fields[i + 1]
      end
    end
    seen = seen + 1
    reply[2] = entry[1]
    if (ARGV[5] == '' or ARGV[5] == kind) and (ARGV[6] == '' or ARGV[6] == mark) and
      (ARGV[7] == '' or ARGV[7] == about or string.sub(about, 1, #ARGV[7] + 1) == ARGV[7] .. '#') then
      table.insert(reply, entry[1])
      table.insert(reply, withoutBody(fields))
      if #reply - 2 >= 2 * wanted then return reply end
    end
  end
  if #page < 25 then
    reply[1] = 1
    return reply
  end
  if seen >= 150 or bytes >= 131072 then return reply end
  from = '(' .. reply[2]
end
`,
)
