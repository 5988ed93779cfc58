import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DeadLetter, PageOrder } from '#core/transport/dead-letters'
import { type FindFirst, pageOverShards, type ScanShard, type ScanStart } from '#core/transport/dead-letters/page-merge'
import { compareIn, comparePositions, formatId, parseId } from '#core/transport/dead-letters/positions'

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)

interface Position {
  ms: number
  n: number
  matches: boolean
}

/** Shards in memory that look at `effort` letters in one scan at most. */
function scanOf(shards: readonly (readonly Position[])[], effort: number): ScanShard {
  return async (shard, start, { order, limit }) => {
    const rest = restOf(shards[shard], start, order)
    const letters: DeadLetter[] = []
    for (const [i, { ms, n, matches }] of rest.entries()) {
      if (matches) letters.push({ id: formatId({ shard, ms, n }) } as DeadLetter)
      const isLast = i === rest.length - 1
      if ((letters.length === limit || i + 1 === effort) && !isLast) return { letters, stoppedAt: { ms, n } }
    }
    return { letters, stoppedAt: undefined }
  }
}

function firstOf(shards: readonly (readonly Position[])[]): FindFirst {
  return async (shard, start, { order }) => restOf(shards[shard], start, order)[0]
}

function restOf(positions: readonly Position[], start: ScanStart | undefined, order: PageOrder): Position[] {
  const isUp = order === 'oldest-first'
  const sorted = [...positions].sort(comparePositions)
  if (!isUp) sorted.reverse()
  return sorted.filter((position) => {
    if (start === undefined) return true
    const compared = isUp ? comparePositions(position, start) : -comparePositions(position, start)
    return compared > 0 || (compared === 0 && start.isInclusive)
  })
}

const position = fc.record({
  ms: fc.integer({ min: 1, max: 12 }),
  n: fc.integer({ min: 0, max: 2 }),
  matches: fc.boolean(),
})
const shard = fc.uniqueArray(position, { selector: ({ ms, n }) => `${ms}-${n}`, maxLength: 25 })

test(`pages give each letter that matches once, in order, however little a scan sees and a page may last (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(shard, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 10 }),
      fc.constantFrom<PageOrder>('oldest-first', 'newest-first'),
      fc.boolean(),
      fc.constantFrom(0, 5, 50),
      async (shards, limit, effort, order, isSparse, stepMs) => {
        let tick = 0
        const expected = shards
          .flatMap((some, i) => some.filter(({ matches }) => matches).map(({ ms, n }) => ({ shard: i, ms, n })))
          .sort((a, b) => compareIn(order, a, b))
        const found: string[] = []
        let cursor: string | undefined
        for (let pages = 0; ; pages++) {
          assert.ok(pages < 1000, 'the pages do not end')
          const page = await pageOverShards(
            shards.length,
            { filter: {}, order, limit, cursor },
            {
              scan: scanOf(shards, effort),
              ...(isSparse && { findFirst: firstOf(shards) }),
              nowMs: () => tick++ * stepMs,
            },
          )
          assert.ok(page.letters.length <= limit)
          found.push(...page.letters.map(({ id }) => id))
          cursor = page.cursor
          if (cursor === undefined) break
          assert.ok(parseId(cursor) !== undefined)
        }
        assert.deepEqual(found, expected.map(formatId))
      },
    ),
    { seed, numRuns: 500 },
  )
})
