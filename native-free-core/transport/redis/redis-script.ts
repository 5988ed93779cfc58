import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { troubleOf } from './redis-errors.js'

/** A Lua script; its name carries its version and the number of its keys. */
export interface RedisScript {
  readonly name: string
  readonly text: string
  readonly sha: string
}

export type ScriptArgument = string | number | Buffer

/** @param lua whole text, beginning with `#!lua`: since Redis 7.0 that line says what the script may do */
export function defineScript(name: string, lua: string): RedisScript {
  const text = lua.trim()
  return { name, text, sha: createHash('sha1').update(text).digest('hex') }
}

/**
 * Runs a script, sending its text only when Redis does not have it: a flushed script cache costs a round trip.
 *
 * @returns integers, `null`, and everything textual as Buffer
 */
export async function runScript(
  client: Redis,
  script: RedisScript,
  keys: readonly string[],
  args: readonly ScriptArgument[],
): Promise<unknown> {
  try {
    return await client.callBuffer('EVALSHA', [script.sha, keys.length, ...keys, ...args])
  } catch (error) {
    if (troubleOf(error) !== 'no-script') throw error
    return client.callBuffer('EVAL', [script.text, keys.length, ...keys, ...args])
  }
}
