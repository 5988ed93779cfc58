import { defineScript } from '../redis-script.js'
import { checkTypes, NOW_MS } from './lua-parts.js'

/**
 * Takes the inbox when nobody holds it.
 *
 * - KEYS: owner
 * - ARGV: holder, claim (repeated when the reply to an earlier call was lost), leaseMs
 * - returns: the token, 0 when it is held
 */
export const INBOX_OWN = defineScript(
  'inbox-own-v1-k1',
  `
#!lua flags=allow-oom
${checkTypes(['hash'])}
${NOW_MS}
local owner = redis.call('HMGET', KEYS[1], 'token', 'until', 'claim')
local token = tonumber(owner[1] or '0')
if tonumber(owner[2] or '0') <= now then
  token = math.max(token + 1, now)
  redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'claim', ARGV[2], 'token', token)
elseif owner[3] ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], 'until', now + ARGV[3])
return token
`,
)
