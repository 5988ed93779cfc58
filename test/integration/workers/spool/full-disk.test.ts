import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, beforeEach, describe, it } from 'node:test'
import { createSpoolCounts, spoolImbalanceOf } from '#core/journal/spool-counts'
import { systemClock } from '#core/time/clock'
import type { SealedBatch } from '#core/transport/batch-stream'
import { Spool } from '#workers/spool/spool'

const DISK_BYTES = 2 ** 20
const EPOCH = 1_800_000_000_000_000

function batch(seq: number): SealedBatch {
  const header = { producer: 'hub.r0', epoch: EPOCH, seq, shard: 0, priority: 1 as const, handler: '*' }
  return { ...header, samples: 10, firstTakenAtUs: 1, body: new Uint8Array(4000) }
}

/** A disk of one mebibyte, which only root can have made. */
const disk = mkdtempSync(join(tmpdir(), 'telemetryhub-full-disk-'))
const canMount = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', disk]).status === 0
if (canMount) spawnSync('umount', [disk])
after(() => rmSync(disk, { recursive: true, force: true }))

describe('a spool on a full disk', { skip: !canMount && 'only root may mount a small disk' }, () => {
  let spool: Spool
  beforeEach(() => {
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', disk]).status, 0)
    spool = new Spool({
      options: {
        directory: join(disk, 'spool'),
        counts: createSpoolCounts(1),
        maxBytes: 8 * DISK_BYTES,
        maxAgeMs: 3_600_000,
        batchAgeMs: 100,
        fsyncMs: 0,
        liveShare: 0.5,
        keep: { bytes: 0, ageMs: 0 },
      },
      shards: 1,
      producer: 'hub.r0',
      epoch: EPOCH,
      clock: systemClock,
      onSync: () => {},
    })
  })
  afterEach(() => {
    spool.close()
    spawnSync('umount', [disk])
  })

  it('drops its oldest segment for the newest batch, and counts it', () => {
    for (let seq = 1; seq <= 1000; seq++) assert.equal(spool.append([batch(seq)]), 1)
    const { appended, held, droppedDiskFull } = spool.counts
    assert.deepEqual([appended, held + droppedDiskFull], [10_000, 10_000])
    assert.ok(held > 1000, `${held} are held`)
    assert.equal(spoolImbalanceOf(spool.counts), 0)
    const seqs = spool.take(Number.POSITIVE_INFINITY, () => true).map(({ seq }) => seq)
    assert.deepEqual(
      seqs,
      Array.from({ length: held / 10 }, (_, n) => 1001 - held / 10 + n),
    )
  })

  it('that others have filled takes nothing, says so, leaves no files behind, and goes on when there is room', () => {
    const others = join(disk, 'others')
    assert.throws(() => writeFileSync(others, new Uint8Array(2 * DISK_BYTES)), /ENOSPC/)
    for (let tries = 0; tries < 3; tries++) assert.equal(spool.append([batch(1)]), 0)
    assert.match(spool.problem ?? '', /cannot be written: .*ENOSPC.*Fix: free space on the disk/)
    assert.deepEqual([spool.counts.held, spool.counts.segments], [0, 0])
    rmSync(others)
    assert.equal(spool.append([batch(1)]), 1)
    assert.equal(spool.problem, undefined)
    assert.equal(spool.take(1, () => true).length, 1)
  })
})
