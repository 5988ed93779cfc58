import { defineScript } from '../redis-script.js'

/**
 * Which of the commands the present user may not use on a key. It runs none of them.
 *
 * - KEYS: a key of those that they would be used on
 * - ARGV: each command with its arguments in one text, `@` standing for the key
 * - returns: the texts of those that are denied
 */
export const RIGHTS = defineScript(
  'rights-v1-k1',
  `
#!lua flags=no-writes,allow-oom,allow-stale
local denied = {}
for _, text in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(text, '%S+') do table.insert(words, word == '@' and KEYS[1] or word) end
  if not redis.acl_check_cmd(unpack(words)) then table.insert(denied, text) end
end
return denied
`,
)
