import type { Redis } from 'ioredis'
import { allowed } from './server-facts.js'

/** What later servers can do, the newest first, each told by a command that came with it. */
const RUNGS = [
  { command: 'XNACK', rung: '8.8' },
  { command: 'XACKDEL', rung: '8.2' },
] as const

/**
 * How far up the ladder of stream commands a server is, e.g. `7.0 (complete)`. Only for the operator to see: the
 * scripts use what 7.0 has, so that every server does exactly the same.
 */
export async function rungOf(client: Redis): Promise<string> {
  const reply = await allowed(() => client.call('COMMAND', 'INFO', ...RUNGS.map(({ command }) => command)))
  if (!Array.isArray(reply)) return '7.0 (COMMAND INFO is denied)'
  const highest = RUNGS.find((_, i) => reply[i] !== null && reply[i] !== undefined)
  return highest === undefined
    ? '7.0, complete by itself'
    : `7.0, of a server that knows ${highest.command} (${highest.rung})`
}
