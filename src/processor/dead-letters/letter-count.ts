import type { DeadLetter, DeadLetterBox, DeadLetterFilter } from '#core/transport/dead-letters'

const PAGE = 1000

/** What a filter finds. */
export interface LetterCount {
  letters: number
  samples: number
  bytes: number
  byClass: Record<string, number>
  /** How many of them were replayed as often as they may be without force. */
  wornOut: number
}

/** Counts the letters that a filter finds. Cost: looks at every letter of its shards and times. */
export async function countLetters(
  box: DeadLetterBox,
  filter: DeadLetterFilter,
  maxGeneration: number,
): Promise<LetterCount> {
  const count: LetterCount = { letters: 0, samples: 0, bytes: 0, byClass: {}, wornOut: 0 }
  for await (const letters of pages(box, filter)) {
    for (const { class: kind, samples, bytes, generation } of letters) {
      count.letters++
      count.samples += samples
      count.bytes += bytes
      count.byClass[kind] = (count.byClass[kind] ?? 0) + 1
      if (generation >= maxGeneration) count.wornOut++
    }
  }
  return count
}

/** All letters that a filter finds, oldest first, a page at a time. */
export async function* pages(box: DeadLetterBox, filter: DeadLetterFilter): AsyncGenerator<DeadLetter[]> {
  let cursor: string | undefined
  do {
    const page = await box.page({ filter, order: 'oldest-first', cursor, limit: PAGE })
    if (page.letters.length > 0) yield page.letters
    cursor = page.cursor
  } while (cursor !== undefined)
}

/**
 * The filter without letters that die from now on, by the clock that the letters have their times from.
 *
 * @returns `undefined` when there are no letters at all
 */
export async function untilNow(box: DeadLetterBox, filter: DeadLetterFilter): Promise<DeadLetterFilter | undefined> {
  const { letters } = await box.page({ filter: {}, order: 'newest-first', limit: 1 })
  if (letters.length === 0) return undefined
  const endMs = letters[0].diedAtMs + 1
  return { ...filter, toMs: Math.min(filter.toMs ?? endMs, endMs) }
}
