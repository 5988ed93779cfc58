/** What a handler does with a batch that holds a marked sample; the value of the sample says which. */
export const MARKS = [
  'none',
  'fails once',
  'fails always',
  'unreadable',
  'kills its run once',
  'kills its run always',
  'kills its process once',
  'kills its process always',
] as const
export type Mark = (typeof MARKS)[number]

/** Batches with these end as dead letters. */
const DEADLY: ReadonlySet<Mark> = new Set<Mark>([
  'fails always',
  'unreadable',
  'kills its run always',
  'kills its process always',
])

/** A batch that kills once may look like one that kills always, when its processors die of other things as well. */
const DUBIOUS: ReadonlySet<Mark> = new Set<Mark>(['kills its run once', 'kills its process once'])

export function isDeadly(mark: Mark): boolean {
  return DEADLY.has(mark)
}

export function isDubious(mark: Mark): boolean {
  return DUBIOUS.has(mark)
}

/** The gravest of the marks of a batch's samples. */
export function markOf(values: Float64Array, count: number): Mark {
  let gravest = 0
  for (let i = 0; i < count; i++) if (values[i] > gravest) gravest = values[i]
  return MARKS[gravest]
}
