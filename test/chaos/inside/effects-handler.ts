/**
 * A user's handler that writes down each of its runs in a file of its own, and misbehaves on the samples that ask for it.
 * Runs in the processors' handler threads.
 */
import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { BatchView } from '#workers/user-handlers/batch-view'
import type { SampleView, UserHandlerRegistry } from '#workers/user-handlers/user-handler'
import { type Conduct, conductOf } from '../samples.js'
import { die, trace } from './failpoints.js'

export const EFFECTS_TYPE = 'chaos.effects'

interface Run {
  device: string
  first: number
  last: number
}

export function register(registry: UserHandlerRegistry): void {
  const { log, directory } = registry.options as { log: string; directory: string }
  registry.register(EFFECTS_TYPE, (batch) => {
    appendFileSync(log, linesOf(batch))
    for (const sample of batch) {
      const conduct = conductOf(sample.device)
      if (conduct !== undefined) misbehave(conduct, sample, directory)
    }
    return []
  })
}

/** One write for the whole batch: lines of several processors do not mix. */
function linesOf(batch: BatchView): string {
  const runs = new Map<string, Run>()
  for (const { device, value } of batch) {
    const run = runs.get(device) ?? { device, first: value, last: value }
    runs.set(device, run)
    run.last = value
  }
  const head = { pid: process.pid, batch: batch.correlationId }
  return [...runs.values()].map((run) => `${JSON.stringify({ ...head, ...run })}\n`).join('')
}

function misbehave(conduct: Conduct, { value }: SampleView, directory: string): void {
  switch (conduct) {
    case 'bad-throws':
      throw new Error(`sample ${value} is bad on purpose`)
    case 'bad-exit':
      // In a thread this ends the thread.
      process.exit(3)
      break
    case 'bad-abort':
      trace('abort')
      die()
      break
    case 'bad-loop':
      for (;;);
    case 'bad-memory': {
      const kept: number[][] = []
      for (;;) kept.push(new Array<number>(100_000).fill(kept.length))
    }
    case 'flaky':
      if (isFirstTime(join(directory, `flaky-${value}`))) throw new Error(`sample ${value} fails the first time`)
  }
}

function isFirstTime(marker: string): boolean {
  try {
    mkdirSync(marker)
    return true
  } catch {
    return false
  }
}
