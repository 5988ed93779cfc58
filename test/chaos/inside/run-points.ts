import { Piscina } from 'piscina'
import { pass } from './failpoints.js'
import { expectCheckpointCommit } from './worker-points.js'

/** Passes a point before each run of the handlers, and one when it is done and the main thread does not know. */
export function watchRuns(): void {
  const { run } = Piscina.prototype
  Piscina.prototype.run = async function (this: Piscina, ...given: Parameters<typeof run>) {
    const { entries = [], checkpoint } = given[0] as { entries?: readonly unknown[]; checkpoint?: boolean }
    if (entries.length === 0) return run.apply(this, given)
    pass('run', 'before')
    const reply: unknown = await run.apply(this, given)
    pass('run', 'replied')
    if (checkpoint === true) expectCheckpointCommit()
    return reply
  }
}
