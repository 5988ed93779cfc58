import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createSpoolCounts, spoolImbalanceOf } from '#core/journal/spool-counts'
import type { SpoolOptions } from '#core/protocol/drain-messages'
import type { SealedBatch } from '#core/transport/batch-stream'
import { Spool } from '#workers/spool/spool'

const EPOCH = 1_800_000_000_000_000
const all = () => true

function batch(seq: number, options: Partial<SealedBatch> = {}): SealedBatch {
  const body = Buffer.alloc(1000, seq % 256)
  const numbering = { producer: 'hub.r0', epoch: EPOCH, seq, shard: 0 }
  return { ...numbering, priority: 1, handler: '*', samples: 10, firstTakenAtUs: 1, body, ...options }
}

function batches(from: number, to: number, options: Partial<SealedBatch> = {}): SealedBatch[] {
  return Array.from({ length: to - from + 1 }, (_, n) => batch(from + n, options))
}

describe('a spool', () => {
  let directory: string
  let nowMs: number
  const opened: Spool[] = []
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'telemetryhub-spool-unit-'))
    nowMs = 1000
  })
  afterEach(() => {
    for (const spool of opened.splice(0)) spool.close()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Another run unless it is given the counts of the one before. */
  function open(options: Partial<SpoolOptions> = {}, epoch = EPOCH): Spool {
    const defaults = {
      directory,
      counts: createSpoolCounts(2),
      maxBytes: 2 ** 20,
      maxAgeMs: 60_000,
      batchAgeMs: 100,
      fsyncMs: 500,
    }
    const spool = new Spool({
      options: { ...defaults, liveShare: 0.5, keep: { bytes: 0, ageMs: 0 }, ...options },
      shards: 2,
      producer: 'hub.r0',
      epoch,
      clock: { nowUs: () => EPOCH + nowMs * 1000, monotonicMs: () => nowMs },
      onSync: () => {},
    })
    opened.push(spool)
    return spool
  }

  const segments = () => readdirSync(directory).filter((name) => name.endsWith('.spool'))
  const seqsOf = (spool: Spool) => spool.take(Number.POSITIVE_INFINITY, all).map(({ seq }) => seq)
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n)

  it('gives back what it was given, whole and in order, and has no files when it is empty', () => {
    const spool = open()
    const given = [batch(1), batch(1, { shard: 1, priority: 2, handler: 'telemetry.store', producer: 'hüb' }), batch(2)]
    assert.equal(spool.append(given), 3)
    const taken = spool.take(2 ** 20, all)
    for (const [index, { segment: _, at: __, end: ___, spooledAtUs: ____, ...one }] of taken.entries()) {
      assert.deepEqual({ ...one, body: Buffer.from(one.body) }, given[index])
    }
    assert.deepEqual([spool.counts.held, spool.unread, spool.unreadOf(1)], [30, 0, 0])
    spool.acknowledge(3)
    assert.deepEqual([spool.counts.held, spool.counts.replayed, spool.counts.sizeBytes], [0, 30, 0])
    assert.deepEqual(segments(), [])
  })

  it('puts back what was taken and not acknowledged, over any number of segments', () => {
    const spool = open({ maxBytes: 2 ** 20 })
    spool.append(batches(1, 100))
    assert.ok(segments().length > 3)
    assert.equal(spool.take(60_000, all).length, 60)
    spool.acknowledge(25)
    spool.rewind()
    assert.equal(spool.unreadOf(0), 75)
    assert.deepEqual(seqsOf(spool), range(26, 100))
  })

  it('stops where the caller does', () => {
    const spool = open()
    spool.append([...batches(1, 3), batch(1, { shard: 1 }), batch(4)])
    assert.equal(spool.take(2 ** 20, ({ shard }) => shard === 0).length, 3)
    assert.deepEqual([spool.unreadOf(0), spool.unreadOf(1)], [1, 1])
  })

  it('is found by the next run as a killed one left it, and goes on where delivery had come to', () => {
    const first = open()
    first.append(batches(1, 40))
    first.take(10_000, all)
    first.acknowledge(10)
    first.tick()
    // No close: the process was killed.
    const second = open({}, EPOCH + 1)
    assert.deepEqual([second.counts.recovered, second.counts.held, second.counts.replayed], [300, 300, 0])
    assert.deepEqual(seqsOf(second), range(11, 40))
    assert.equal(second.wasSpooled(batch(20)), false, 'the numbering of an earlier run is not its own')
    second.append(batches(1, 2, { epoch: EPOCH + 1 }))
    assert.deepEqual(seqsOf(second), [1, 2])
    assert.equal(second.wasSpooled(batch(2, { epoch: EPOCH + 1 })), true)
  })

  it('sends a segment again from its start when nobody noted how far delivery had come', () => {
    const first = open()
    first.append(batches(1, 10))
    first.take(4000, all)
    first.acknowledge(4)
    assert.deepEqual(seqsOf(open()), range(1, 10))
  })

  it('skips a record that was cut off at any byte, counts it and keeps it for a look', () => {
    const spool = open({ maxBytes: 2 ** 22 })
    spool.append(batches(1, 2))
    const size = spool.counts.sizeBytes
    spool.append([batch(3)])
    const [name] = segments()
    const bytes = readFileSync(join(directory, name))
    for (let length = size + 1; length < bytes.length; length += 13) {
      const torn = mkdtempSync(join(tmpdir(), 'telemetryhub-spool-torn-'))
      writeFileSync(join(torn, name), bytes.subarray(0, length))
      const again = open({ directory: torn })
      assert.deepEqual(seqsOf(again), [1, 2], `cut at ${length}`)
      assert.equal(again.counts.corruptRecords, 1)
      const { recovered, droppedCorrupt } = again.counts
      assert.ok(droppedCorrupt === 0 || droppedCorrupt === 10)
      assert.equal(recovered, 20 + droppedCorrupt)
      assert.equal(spoolImbalanceOf(again.counts), 0)
      assert.equal(readdirSync(join(torn, 'quarantine')).length, 1)
      rmSync(torn, { recursive: true })
    }
  })

  it('reads on behind damage anywhere, counts it once, and has everything else', () => {
    const first = open()
    first.append(batches(1, 5))
    first.close()
    const [name] = segments()
    const bytes = readFileSync(join(directory, name))
    const recordBytes = (bytes.length - 32) / 5
    for (const [what, at] of [
      ['body', 32 + 2 * recordBytes + 500],
      ['header', 32 + 2 * recordBytes + 9],
      ['magic', 32 + 2 * recordBytes],
    ] as const) {
      const damaged = Buffer.from(bytes)
      damaged[at] ^= 0x40
      writeFileSync(join(directory, name), damaged)
      const again = open()
      assert.equal(again.counts.corruptRecords, 1, what)
      assert.equal(
        again.counts.droppedCorrupt,
        what === 'body' ? 10 : 0,
        'where the header is whole, samples are known',
      )
      assert.deepEqual(seqsOf(again), [1, 2, 4, 5], what)
      assert.equal(again.counts.corruptRecords, 1, 'counted once')
      assert.equal(spoolImbalanceOf(again.counts), 0)
    }
  })

  it('finds damage that came after it was opened, and counts what is missing', () => {
    const spool = open()
    spool.append(batches(1, 5))
    const [name] = segments()
    const path = join(directory, name)
    truncateSync(path, 32 + 2500)
    assert.deepEqual(seqsOf(spool), [1, 2])
    const { droppedCorrupt, held } = spool.counts
    assert.deepEqual([droppedCorrupt, held], [30, 20])
    assert.equal(spoolImbalanceOf(spool.counts), 0)
  })

  it('opens whatever lies in its directory', () => {
    writeFileSync(join(directory, '0000000001.spool'), '')
    writeFileSync(join(directory, '0000000002.spool'), Buffer.alloc(5000, 7))
    writeFileSync(join(directory, '0000000003.spool'), 'TLSB'.repeat(1000))
    writeFileSync(join(directory, 'cursor.json'), '{"segment":')
    writeFileSync(join(directory, 'notes.txt'), 'hello')
    const spool = open()
    assert.deepEqual([spool.counts.held, spool.counts.corruptRecords, segments().length], [0, 2, 0])
    spool.append([batch(1)])
    assert.deepEqual(seqsOf(spool), [1])
    assert.deepEqual(segments(), ['0000000004.spool'])
  })

  it('drops its oldest segment when it is full, counts it, and keeps to the bound', () => {
    const spool = open({ maxBytes: 2 ** 20 })
    for (let seq = 1; seq <= 3000; seq++) {
      assert.equal(spool.append([batch(seq)]), 1)
      assert.ok(spool.counts.sizeBytes <= 2 ** 20)
    }
    const { droppedSize, held, appended } = spool.counts
    assert.equal(appended, 30_000)
    assert.equal(droppedSize + held, 30_000)
    assert.ok(held >= 9000, `${held} of some 9800 that fit are held`)
    assert.equal(spoolImbalanceOf(spool.counts), 0)
    assert.deepEqual(seqsOf(spool), range(3001 - held / 10, 3000), 'the newest')
  })

  it('says how full it is, by bytes or by age', () => {
    const spool = open({ maxBytes: 2 ** 20, maxAgeMs: 60_000 })
    assert.equal(spool.fill, 0)
    spool.append(batches(1, 490))
    assert.ok(Math.abs(spool.fill - 0.5) < 0.02, `${spool.fill} of the bytes`)
    nowMs += 45_000
    assert.equal(spool.fill, 0.75)
  })

  it('drops nothing for what follows when it is told not to', () => {
    const spool = open({ maxBytes: 2 ** 20 })
    const given = batches(1, 1200)
    let written = 0
    while (spool.append([given[written]], false) === 1) written++
    assert.ok(written > 900 && written < 1100, `${written} were written`)
    assert.match(spool.problem ?? '', /do not fit/)
    const { droppedSize, held } = spool.counts
    assert.deepEqual([droppedSize, held], [0, written * 10])
    assert.equal(spool.append(given.slice(written), true), 1200 - written)
    assert.ok(spool.counts.droppedSize > 0)
    assert.equal(spool.problem, undefined)
  })

  it('does not drop what is just being sent', () => {
    const spool = open({ maxBytes: 2 ** 20 })
    spool.append(batches(1, 900))
    spool.take(1, all)
    spool.append(batches(901, 1200))
    spool.rewind()
    const { droppedSize, held } = spool.counts
    const seqs = seqsOf(spool)
    assert.ok(droppedSize > 0)
    assert.equal(seqs[0], 1)
    assert.equal(seqs.length * 10, held, 'what is dropped is dropped, and what is held is there')
  })

  it('drops what is older than the greatest age, also when an earlier run spooled it', () => {
    const spool = open()
    spool.append(batches(1, 10))
    nowMs += 30_000
    spool.append(batches(11, 20))
    nowMs += 30_001
    spool.tick()
    assert.deepEqual([spool.counts.droppedAge, spool.counts.held], [100, 100])
    spool.close()
    nowMs += 20_000
    const later = open({}, EPOCH + 100_000_000)
    later.tick()
    assert.equal(later.counts.held, 100)
    nowMs += 20_000
    later.tick()
    assert.deepEqual([later.counts.droppedAge, later.counts.held], [100, 0])
    assert.deepEqual(segments(), [])
  })

  it('says why it cannot write, counts nothing as spooled, and goes on when it can', () => {
    const spool = open()
    renameSync(directory, `${directory}-away`)
    assert.equal(spool.append([batch(1)]), 0)
    assert.match(spool.problem ?? '', /cannot be written.*Fix/)
    assert.deepEqual([spool.counts.held, spool.wasSpooled(batch(1))], [0, false])
    renameSync(`${directory}-away`, directory)
    assert.equal(spool.append([batch(1)]), 1)
    assert.equal(spool.problem, undefined)
    assert.deepEqual(seqsOf(spool), [1])
  })

  it('takes no batch that is larger than itself', () => {
    const spool = open({ maxBytes: 2 ** 20 })
    assert.equal(spool.append([batch(1), batch(2, { body: new Uint8Array(2 ** 20) })]), 1)
    assert.match(spool.problem ?? '', /do not fit.*Fix: raise spool\.max_bytes/)
    assert.equal(spoolImbalanceOf(spool.counts), 0)
  })

  it('leaves a worker that follows a dead one with the same counts, and what that had written and not counted', () => {
    const counts = createSpoolCounts(2)
    const first = open({ counts })
    first.append(batches(1, 10))
    first.take(3000, all)
    first.acknowledge(3)
    // A write that was not counted any more, and one that was cut off.
    const other = mkdtempSync(join(tmpdir(), 'telemetryhub-spool-other-'))
    const writer = open({ directory: other })
    writer.append(batches(11, 12))
    const [name] = readdirSync(other).filter((file) => file.endsWith('.spool'))
    const records = readFileSync(join(other, name)).subarray(32)
    appendFileSync(join(directory, segments()[0]), records.subarray(0, records.length - 7))
    const second = open({ counts })
    const { recovered, appended, replayed, held, droppedCorrupt, corruptRecords } = second.counts
    assert.deepEqual([recovered, appended, replayed, held], [0, 110, 30, 80])
    assert.deepEqual([droppedCorrupt, corruptRecords], [0, 1], 'what was cut off is in the ring still')
    assert.deepEqual([second.wasSpooled(batch(11)), second.wasSpooled(batch(12))], [true, false])
    assert.deepEqual(seqsOf(second), range(4, 11))
    rmSync(other, { recursive: true })
  })
})
