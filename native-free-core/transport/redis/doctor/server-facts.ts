import type { Redis } from 'ioredis'
import { isDenied } from '../redis-errors.js'
import { hasClientEvictionBug } from './server-rules.js'

/** What a server says of itself. A field is `undefined` when the user may not ask, or the server does not know it. */
export interface ServerFacts {
  /** All `name:value` lines of INFO; empty when it is denied. */
  info: ReadonlyMap<string, string>
  /** Of `maxmemory-clients`; asked only where it matters. */
  maxMemoryClients: string | undefined
}

const SECTIONS = ['server', 'memory', 'persistence', 'replication', 'cluster']

/** @throws what the connection throws */
export async function gatherFacts(client: Redis): Promise<ServerFacts> {
  const text = await allowed(() => client.info(...SECTIONS))
  const info = new Map(
    (text ?? '').split('\r\n').flatMap((line): [string, string][] => {
      const colon = line.indexOf(':')
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]]
    }),
  )
  return {
    info,
    maxMemoryClients: hasClientEvictionBug(info) ? await configOf(client, 'maxmemory-clients') : undefined,
  }
}

/** One setting of the server; `undefined` when the user may not ask. */
export async function configOf(client: Redis, name: string): Promise<string | undefined> {
  const reply = (await allowed(() => client.config('GET', name))) as string[] | undefined
  return reply?.[1]
}

/** The answer, or `undefined` when the ACL, or a renamed command, forbids the question. */
export async function allowed<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (isDenied(error)) return undefined
    throw error
  }
}
