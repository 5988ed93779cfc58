import { appendFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

/**
 * What happens at the point: `kill` ends the process with SIGKILL, `thread` ends the thread only, `stop` freezes the
 * process until SIGCONT, `lose` loses the reply with its connection, `withhold` keeps a commit back and kills soon.
 */
export type How = 'kill' | 'thread' | 'stop' | 'lose' | 'withhold'

/** `STEP:MOMENT:NTH:HOW`, e.g. `checkpoint:before:2:kill`. */
const SETTING = process.env.TELEMETRYHUB_FAILPOINT
const [step, moment, nth = '1', how = 'kill'] = SETTING?.split(':') ?? []

let hits = 0

/** Writes a line into the stage's trace file. */
export function trace(line: string): void {
  const file = process.env.CHAOS_TRACE
  if (file !== undefined) appendFileSync(file, `${process.pid} ${line}\n`)
}

/**
 * Passes a point between two steps of the protocol.
 *
 * @returns what the caller has to do, when the setting asks for that here and it is not done yet
 */
export function pass(atStep: string, atMoment: 'before' | 'replied'): 'lose' | 'withhold' | undefined {
  if (atStep !== step || atMoment !== moment || ++hits !== Number(nth)) return undefined
  trace(`hit ${atStep}:${atMoment}`)
  switch (how as How) {
    case 'kill':
      return die()
    case 'thread':
      if (isMainThread) throw new Error(`${atStep} runs in the main thread: it has no thread to end.`)
      process.exit(1)
      break
    case 'stop':
      process.kill(process.pid, 'SIGSTOP')
      return undefined
    case 'lose':
    case 'withhold':
      return how as 'lose' | 'withhold'
  }
  return undefined
}

/** Nothing runs after it, in no thread. */
export function die(): never {
  process.kill(process.pid, 'SIGKILL')
  for (;;);
}
