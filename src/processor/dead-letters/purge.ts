import type { DeadLetterBox, DeadLetterFilter } from '#core/transport/dead-letters'
import { countLetters, type LetterCount, pages, untilNow } from './letter-count.js'

/** `dry-run`: only counted. `other-count`: more or fewer letters than expected, nothing was purged. */
export type PurgeResult =
  | { kind: 'purged'; purged: number; found: LetterCount }
  | { kind: 'dry-run'; found: LetterCount }
  | { kind: 'other-count'; expected: number; found: LetterCount }

/**
 * Removes for good what the filter finds, when that is as many letters as expected. Letters that die meanwhile stay.
 *
 * @param expected `undefined` only counts
 */
export async function purgeLetters(
  box: DeadLetterBox,
  filter: DeadLetterFilter,
  expected: number | undefined,
): Promise<PurgeResult> {
  const bounded = await untilNow(box, filter)
  const found =
    bounded === undefined
      ? { letters: 0, samples: 0, bytes: 0, byClass: {}, wornOut: 0 }
      : await countLetters(box, bounded, Number.POSITIVE_INFINITY)
  if (expected === undefined) return { kind: 'dry-run', found }
  if (expected !== found.letters) return { kind: 'other-count', expected, found }
  let purged = 0
  if (bounded !== undefined) {
    for await (const letters of pages(box, bounded)) purged += await box.purge(letters.map(({ id }) => id))
  }
  return { kind: 'purged', purged, found }
}
