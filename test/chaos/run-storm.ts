import type { NemesisKind } from './nemeses/nemesis.js'
import { judge, problemsOf } from './oracle/checker.js'
import type { StormReport } from './report/report.js'
import { planStorm } from './schedule.js'
import { Stage, type StageOptions } from './stage/stage.js'
import { Storm } from './storm.js'

export interface StormOptions {
  seed: number
  durationMs: number
  kinds: readonly NemesisKind[]
  processors: number
  isHubDurable: boolean
  /** `false`: a nemesis wipes the handlers' state on purpose. */
  isStateKept: boolean
}

/** A bad sample that ends its processes needs some nine deliveries, each a lease and often a start after the last. */
const REST_MS = 300_000

/** A storm on a stage of its own, from the first sample to the verdict. */
export async function runStorm(options: StormOptions, say: (line: string) => void): Promise<StormReport> {
  const { seed, durationMs, kinds, processors, isHubDurable, isStateKept } = options
  const load: StageOptions = { processors, shards: 4, devices: 16, readingsPerRequest: 2, requestIntervalMs: 50 }
  const stage = await Stage.start(load)
  try {
    stage.load.start()
    if (isStateKept) stage.tasks.start()
    const result = await new Storm(stage, say).run(planStorm(seed, durationMs, kinds), durationMs)
    const restingMs = performance.now()
    const hasRested = await stage.rest(REST_MS)
    const restMs = performance.now() - restingMs
    say(hasRested ? `at rest after ${Math.round(restMs)} ms` : stage.describe())
    const verdict = judge(await stage.gather({ isStateKept }))
    const traces = stage.traces()
    const uncalledFor = stage.crew.unexpectedEnds - traces.filter((line) => line === 'abort').length
    const inMemory = verdict.missing.inHubMemory.reduce((sum, { samples }) => sum + samples, 0)
    const problems = [
      ...(hasRested ? [] : [`not at rest ${Math.round(restMs)} ms after the load`]),
      ...(uncalledFor > 0 ? [`${uncalledFor} processors ended by themselves`] : []),
      ...(isHubDurable && inMemory > 0 ? [`${inMemory} lost with a killed hub`] : []),
      ...stage.hubs.ends.flatMap(({ hub, disorder }) =>
        disorder === undefined ? [] : [`hub ${hub} ended with ${disorder}`],
      ),
      ...problemsOf(verdict),
    ]
    const fenced = traces.filter((line) => line.startsWith('fenced')).length
    return { ...result, durationMs, restMs, hubs: stage.hubs.ends, verdict, fenced, problems }
  } finally {
    await stage.close()
  }
}
