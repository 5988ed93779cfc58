import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { RedisScript } from '#core/transport/redis/redis-script'

/** What of an ioredis command is looked at. */
export interface SentCommand {
  name: string
  args: readonly unknown[]
}

const COMMANDS: Readonly<Record<string, string>> = { xreadgroup: 'read', hgetall: 'load-state' }
/** How `settle` says at which argument its first list begins, with the number of acknowledgements. */
const FIRST_LIST = /local at = (\d+)/

/** By sha and by text: what each script does, from its name without version. Whatever versions there are. */
async function loadScriptSteps(): Promise<Map<string, string>> {
  const folder = new URL('./scripts/', import.meta.resolve('#core/transport/redis/redis-script'))
  const steps = new Map<string, string>()
  for (const file of readdirSync(fileURLToPath(folder))
    .filter((name) => name.endsWith('.js'))
    .sort()) {
    const exported = (await import(new URL(file, folder).href)) as Record<string, Partial<RedisScript>>
    for (const { name, sha, text } of Object.values(exported)) {
      if (name === undefined || sha === undefined || text === undefined) continue
      const step = name.replace(/-v\d+.*$/, '')
      steps.set(sha, step).set(text, step)
      // The newest version is the last of its name.
      if (step === 'settle') acksAt = Number(FIRST_LIST.exec(text)?.[1])
    }
  }
  return steps
}

let acksAt = 0
const scriptSteps = await loadScriptSteps()

/** Which step of the protocol a command is; `undefined` for those that belong to none. */
export function stepOf({ name, args }: SentCommand): string | undefined {
  const lower = name.toLowerCase()
  if (lower !== 'evalsha' && lower !== 'eval') return COMMANDS[lower]
  const step = scriptSteps.get(String(args[0]))
  if (step !== 'settle') return step
  // Before the arguments come the script, the number of keys, and the keys.
  const acks = Number(args[1 + Number(args[1]) + acksAt])
  return acks > 0 ? 'checkpoint' : 'put-aside'
}
