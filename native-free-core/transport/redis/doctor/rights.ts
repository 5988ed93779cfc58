import type { Redis } from 'ioredis'
import { runScript } from '../redis-script.js'
import { RIGHTS } from '../scripts/rights-v1-k1.js'

/** What is done with a queue; each needs commands of its own. */
export type Role = 'producer' | 'stream' | 'inbox'

const SCRIPTS = ['EVALSHA x 1 @', 'EVAL x 1 @', 'TYPE @', 'TIME']
const OWNERSHIP = ['HGET @ f', 'HMGET @ f', 'HSET @ f v']

/** Commands by role, with `@` for the key: those that are sent and those that scripts call. */
const NEEDED: Readonly<Record<Role, readonly string[]>> = {
  producer: [...SCRIPTS, 'SCRIPT LOAD x', 'HGET @ f', 'HSET @ f v', 'HINCRBY @ f 1', 'XADD @ * f v'],
  stream: [
    ...SCRIPTS,
    ...OWNERSHIP,
    'EXISTS @',
    'HGETALL @',
    'HDEL @ f',
    'HLEN @',
    'HKEYS @',
    'HSCAN @ 0',
    'HINCRBY @ f 1',
    'XADD @ * f v',
    'XACK @ g 0-1',
    'XDEL @ 0-1',
    'XLEN @',
    'XRANGE @ - +',
    'XREVRANGE @ + -',
    'XPENDING @ g',
    'XINFO GROUPS @',
    'XGROUP CREATE @ g 0',
    'XGROUP DESTROY @ g',
    'XREADGROUP GROUP g c STREAMS @ >',
    'ZADD @ 1 m',
    'ZCARD @',
    'ZRANGE @ 0 0',
    'ZRANGEBYSCORE @ 0 1',
    'ZREM @ m',
    'ZSCORE @ m',
  ],
  inbox: [
    ...SCRIPTS,
    ...OWNERSHIP,
    'EXISTS @',
    'HINCRBY @ f 1',
    'LLEN @',
    'LPOP @',
    'RPUSH @ v',
    'BLMOVE @ @ LEFT RIGHT 1',
    'XADD @ * f v',
    'XDEL @ 0-1',
    'XLEN @',
    'XRANGE @ - +',
    'XINFO STREAM @',
  ],
}

/** Commands on the queue's own keys. */
const NEEDED_OF_QUEUE: Readonly<Record<Role, readonly string[]>> = {
  producer: ['HMGET @ f', 'HSETNX @ f v', 'GET @'],
  stream: ['HMGET @ f', 'HSETNX @ f v', 'ZADD @ 1 m', 'ZREM @ m', 'ZRANGE @ 0 1', 'ZREMRANGEBYSCORE @ 0 1', 'SET @ v'],
  inbox: [],
}

/**
 * Commands that the user may not use and that a role needs, e.g. `XADD`, `XGROUP CREATE`.
 *
 * @param part which keys: `work` those of a shard or of the inbox, `queue` those of the queue as a whole
 * @param key one of them
 */
export async function missingRights(client: Redis, role: Role, part: 'work' | 'queue', key: string): Promise<string[]> {
  const needed = (part === 'work' ? NEEDED : NEEDED_OF_QUEUE)[role]
  if (needed.length === 0) return []
  const denied = (await runScript(client, RIGHTS, [key], needed)) as Buffer[]
  return denied.map((text) => nameOf(text.toString()))
}

/** The command, with its subcommand where it has them. */
function nameOf(text: string): string {
  const [command, second] = text.split(' ')
  return ['SCRIPT', 'XGROUP', 'XINFO'].includes(command) ? `${command} ${second}` : command
}
