import { setTimeout as pause } from 'node:timers/promises'
import type { Stage } from '../stage/stage.js'
import type { SweepCase } from './sweep-case.js'

const NTH = 5
const REACHED_MS = 60_000
const WORK_MS = 700

/** Hub and drain worker end before batches are sent, and after Redis has stored them, before they know. */
export const HUB_POINTS: readonly SweepCase[] = (['before', 'replied'] as const).flatMap((moment): SweepCase[] => {
  const point = `append:${moment}`
  const when = moment === 'before' ? 'before batches are sent' : 'when they are stored and nobody knows'
  return [
    {
      name: `${point}:thread`,
      summary: `the drain worker ends ${when}`,
      scenarios: [3, 9],
      hubFailpoint: `${point}:${NTH}:thread`,
      bringAbout: (stage) => reach(stage, point),
    },
    {
      name: `${point}:process`,
      summary: `SIGKILL of the hub ${when}`,
      scenarios: [3],
      hubFailpoint: `${point}:${NTH}:kill`,
      bringAbout: async (stage) => {
        const first = stage.hubs.running
        const failure = await reach(stage, point)
        if (failure !== undefined) return failure
        await first?.program.ended()
        await stage.hubs.kill()
        await stage.hubs.start()
        await pause(WORK_MS)
        return undefined
      },
    },
  ]
})

async function reach(stage: Stage, point: string): Promise<string | undefined> {
  stage.crew.add()
  stage.load.start()
  if (!(await stage.traced(`hit ${point}`, REACHED_MS))) return `${point} was not reached`
  await pause(WORK_MS)
  return undefined
}
