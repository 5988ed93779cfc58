import { PRIORITY_NAMES, type PriorityName } from '#core/model/priority'
import type { PressureLevel } from '#core/policy/pressure'
import type { SheddingOptions } from './shedding-ladder.js'

/** The classes whose samples share a ring; each class is in one of the lists of a hub. */
export type RingClasses = readonly PriorityName[]

export const ONE_FOR_ALL: readonly RingClasses[] = [PRIORITY_NAMES]

/**
 * Batches of a ring are numbered together: what is spilled of it holds up all that follows. So classes share a ring
 * only when they are spilled together, or when one of them is refused while the other is spilled.
 */
export function classesPerRing(options: SheddingOptions): readonly RingClasses[] {
  const groups: PriorityName[][] = []
  for (const name of PRIORITY_NAMES) {
    const group = groups.find((others) => others.every((other) => mayShare(options, name, other)))
    if (group === undefined) groups.push([name])
    else group.push(name)
  }
  return groups
}

/** Whether a ring of these classes is spilled: one of them is to be, and nothing speaks against it for the others. */
export function isSpilled(options: SheddingOptions, level: PressureLevel, classes: RingClasses): boolean {
  if (level === 'green') return false
  const steps = classes.map((name) => options[level][name])
  return steps.includes('spill') && steps.every((step) => step === 'spill' || step === 'refuse')
}

/** Whether the ladder spills any class at any level. */
export function spillsAny({ amber, red }: SheddingOptions): boolean {
  return PRIORITY_NAMES.some((name) => amber[name] === 'spill' || red[name] === 'spill')
}

function mayShare({ amber, red }: SheddingOptions, one: PriorityName, other: PriorityName): boolean {
  return [amber, red].every((steps) => {
    const [a, b] = [steps[one], steps[other]]
    return (a === 'spill') === (b === 'spill') || a === 'refuse' || b === 'refuse'
  })
}
