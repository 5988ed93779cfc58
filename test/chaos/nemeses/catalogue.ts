import { BAD_SAMPLE_NEMESES } from './bad-sample-nemeses.js'
import { HUB_NEMESES } from './hub-nemeses.js'
import type { NemesisKind } from './nemesis.js'
import { NETWORK_NEMESES } from './network-nemeses.js'
import { PROCESSOR_NEMESES } from './processor-nemeses.js'
import { REDIS_NEMESES } from './redis-nemeses.js'

export const NEMESES: readonly NemesisKind[] = [
  ...PROCESSOR_NEMESES,
  ...HUB_NEMESES,
  ...REDIS_NEMESES,
  ...NETWORK_NEMESES,
  ...BAD_SAMPLE_NEMESES,
]

/** @param names absent: all that are not optional. @throws RangeError naming one that does not exist */
export function chooseNemeses(names: readonly string[] | undefined): NemesisKind[] {
  if (names === undefined) return NEMESES.filter(({ isOptional }) => !isOptional)
  return names.map((name) => {
    const kind = NEMESES.find((candidate) => candidate.name === name)
    if (kind === undefined) throw new RangeError(`There is no nemesis ${name}: see --list.`)
    return kind
  })
}
