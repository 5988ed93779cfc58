import { defineScript } from '../redis-script.js'
import { COUNT_GROUP, REMOVE_DEAD } from './dead-letter-parts.js'
import { checkTypes } from './lua-parts.js'

/**
 * Removes dead letters for good.
 *
 * - KEYS: dead, bodies and groups of the dead letters, ctl
 * - ARGV: ids
 * - returns: how many of them were there
 */
export const DEAD_PURGE = defineScript(
  'dead-purge-v1-k4',
  `
#!lua flags=allow-oom
${checkTypes(['stream', 'hash', 'hash', 'hash'])}
${COUNT_GROUP}
${REMOVE_DEAD}
local purged = 0
for _, id in ipairs(ARGV) do
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if entry then
    removeDead(KEYS, entry)
    purged = purged + 1
  end
end
countRemoved(KEYS)
if purged > 0 then redis.call('HINCRBY', KEYS[4], 'dead-purged', purged) end
return purged
`,
)
