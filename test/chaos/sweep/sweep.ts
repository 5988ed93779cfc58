import { HUB_POINTS } from './hub-points.js'
import { PROCESSOR_POINTS } from './processor-points.js'
import { SPECIAL_CASES } from './special-cases.js'
import { runCase, type SweepCase, type SweepResult } from './sweep-case.js'

export const SWEEP_CASES: readonly SweepCase[] = [...HUB_POINTS, ...PROCESSOR_POINTS, ...SPECIAL_CASES]

/** Enough to see that each kind of point is reached and holds. */
export const SHORT_SWEEP = ['append:replied:thread', 'checkpoint:replied', 'commit-withheld', 'read-lost']

/** @throws RangeError naming a case that does not exist */
export function chooseCases(names: readonly string[] | undefined): readonly SweepCase[] {
  if (names === undefined) return SWEEP_CASES
  return names.map((name) => {
    const found = SWEEP_CASES.find((candidate) => candidate.name === name)
    if (found === undefined) throw new RangeError(`There is no sweep case ${name}: see --list.`)
    return found
  })
}

/** Runs the cases one after the other, each on a stage of its own. @param restMs see {@link runCase} */
export async function sweep(
  cases: readonly SweepCase[],
  restMs: number,
  say: (line: string) => void,
): Promise<SweepResult[]> {
  const results: SweepResult[] = []
  for (const sweepCase of cases) {
    const result = await runCase(sweepCase, restMs)
    results.push(result)
    const outcome = result.problems.length === 0 ? 'holds' : `BROKEN: ${result.problems.join('; ')}`
    say(`${result.name.padEnd(24)} ${(result.tookMs / 1000).toFixed(1).padStart(5)} s  ${outcome}`)
  }
  return results
}
