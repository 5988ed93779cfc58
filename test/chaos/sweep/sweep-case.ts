import { judge, problemsOf, type Verdict } from '../oracle/checker.js'
import { Stage, type StageOptions } from '../stage/stage.js'

/** One exact moment at which something ends or is lost, and what must hold all the same. */
export interface SweepCase {
  /** `step:moment` or a name of its own. */
  readonly name: string
  readonly summary: string
  /** Numbers of the fault scenarios that it is part of, see the report. */
  readonly scenarios: readonly number[]
  /** Failpoint of the first hub. */
  readonly hubFailpoint?: string
  /** Brings the moment about, under load. @returns what did not go as it must; `undefined` when it was reached */
  bringAbout(stage: Stage): Promise<string | undefined>
}

export interface SweepResult {
  name: string
  summary: string
  scenarios: readonly number[]
  problems: string[]
  tookMs: number
  verdict: Verdict
}

const STAGE: StageOptions = { processors: 0, shards: 2, devices: 6, readingsPerRequest: 2, requestIntervalMs: 50 }
/** All cases come to rest within a few seconds when the product is right and the machine is not busy. */
export const REST_MS = 60_000

/** @param restMs patience with what has to come to rest */
export async function runCase(sweepCase: SweepCase, restMs: number): Promise<SweepResult> {
  const { name, summary, scenarios, hubFailpoint } = sweepCase
  const startedMs = performance.now()
  const env: Record<string, string> = hubFailpoint === undefined ? {} : { TELEMETRYHUB_FAILPOINT: hubFailpoint }
  const stage = await Stage.start(STAGE, env)
  try {
    const failure = await sweepCase.bringAbout(stage)
    const hasRested = await stage.rest(restMs)
    const verdict = judge(await stage.gather())
    const problems = [
      ...(failure === undefined ? [] : [failure]),
      ...(hasRested ? [] : [`not at rest after ${restMs} ms`]),
      ...problemsOf(verdict),
    ]
    return { name, summary, scenarios, problems, tookMs: performance.now() - startedMs, verdict }
  } finally {
    await stage.close()
  }
}
