/** Lua that several scripts share; it becomes part of their text. */

/** `now`: milliseconds by the server's clock, the only one that decides. */
export const NOW_MS = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
`

/**
 * Returns the error before anything is changed when a key holds something else: a script that fails halfway keeps what
 * it has done.
 *
 * @param types of KEYS, in order; `-` for any
 */
export function checkTypes(types: readonly string[]): string {
  return `
for i, expected in ipairs({${types.map((type) => `'${type}'`).join(', ')}}) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'none' and found ~= expected then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is a ' .. found .. ' and should be a ' .. expected)
  end
end
`
}

/**
 * `replaceGroups(stream, priority, deliveries, countTo, group, from)`: destroys the consumer groups of all ownerships,
 * adds one delivery to what was pending in them up to `countTo`, and makes `group`, which reads from `from` on.
 * A reader that waits in a destroyed group is told so and takes nothing.
 */
export const REPLACE_GROUPS = `
local function countPending(stream, priority, deliveries, group, countTo)
  local from = '-'
  while true do
    local page = redis.call('XPENDING', stream, group, from, countTo, 1000)
    for _, entry in ipairs(page) do
      redis.call('HINCRBY', deliveries, priority .. ':' .. entry[1], 1)
      from = '(' .. entry[1]
    end
    if #page < 1000 then return end
  end
end

local function replaceGroups(stream, priority, deliveries, countTo, group, from)
  if redis.call('EXISTS', stream) == 1 then
    for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
      local name = info[2]
      if string.match(name, '^g%d+%.%d+$') then
        countPending(stream, priority, deliveries, name, countTo)
        redis.call('XGROUP', 'DESTROY', stream, name)
      end
    end
  end
  if group then redis.call('XGROUP', 'CREATE', stream, group, from, 'MKSTREAM') end
end
`
