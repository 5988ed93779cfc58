import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { ONE_FOR_ALL, type RingClasses } from '#src/hub/intake/ring-classes'
import { type PreparedSpool, prepareSpool } from '#src/hub/spool/spool-directory'

describe('the directory of a spool', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'telemetryhub-spool-directory-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const prepare = (more: { hubId?: string; shards?: number; lanes?: number; classes?: readonly RingClasses[] } = {}) =>
    prepareSpool({ directory, hubId: 'hub', shards: 8, lanes: 2, classes: ONE_FOR_ALL, ...more })
  const readyOf = (prepared: PreparedSpool) => {
    assert.equal(prepared.kind, 'ready', JSON.stringify(prepared))
    return prepared as Extract<PreparedSpool, { kind: 'ready' }>
  }
  const problemOf = (prepared: PreparedSpool) => (prepared.kind === 'unusable' ? prepared.problem : 'none')
  const fill = (lane: number) => {
    mkdirSync(join(directory, 'hub', `r${lane}`), { recursive: true })
    writeFileSync(join(directory, 'hub', `r${lane}`, '0000000001.spool'), 'x')
  }

  it('is one per hub, whatever the id has in it', () => {
    const places = ['hub', '../up', 'a/b', 'a_b', '.', 'ä'.repeat(64)].map((hubId) => {
      return readyOf(prepare({ hubId })).laneDirectory(0)
    })
    assert.equal(new Set(places).size, places.length)
    for (const place of places) assert.match(place.slice(directory.length), /^\/[\w-][\w.-]*\/r0$/)
  })

  it('lets one hub in at a time; one that was killed keeps nobody out', () => {
    const first = readyOf(prepare())
    assert.match(problemOf(prepare()), /in use by another hub of the id hub\. Fix: /)
    first.release()
    readyOf(prepare())
    // A process that is no more, and one of this number that began at another time.
    for (const holder of ['4194304 boot:1 x', `${process.pid} boot:1 x`, 'damaged', '']) {
      writeFileSync(join(directory, 'hub', 'lock'), holder)
      readyOf(prepare()).release()
    }
  })

  it('that is empty takes any number of shards and workers', () => {
    readyOf(prepare({ shards: 4, lanes: 1 })).release()
    const prepared = readyOf(prepare({ shards: 8, lanes: 3 }))
    assert.equal(prepared.lanes, 3)
    assert.deepEqual(JSON.parse(readFileSync(join(directory, 'hub', 'spool.json'), 'utf8')), {
      version: 1,
      shards: 8,
      lanes: 3,
    })
  })

  it('that is filled keeps its number of workers, so that samples of a device stay in order', () => {
    readyOf(prepare({ lanes: 2 })).release()
    fill(1)
    const prepared = readyOf(prepare({ lanes: 1 }))
    assert.equal(prepared.lanes, 2)
    prepared.release()
    rmSync(join(directory, 'hub', 'r1'), { recursive: true })
    assert.equal(readyOf(prepare({ lanes: 1 })).lanes, 1)
  })

  it('that is filled keeps apart the classes that were apart, and no others', () => {
    const apart: readonly RingClasses[] = [['high'], ['normal', 'low']]
    const layoutOf = (more: Parameters<typeof prepare>[0]) => {
      const prepared = readyOf(prepare(more))
      prepared.release()
      return [prepared.lanes, prepared.classes]
    }
    assert.deepEqual(layoutOf({ classes: apart }), [2, apart])
    fill(1)
    assert.deepEqual(layoutOf({ lanes: 3, classes: ONE_FOR_ALL }), [2, apart])
    const path = join(directory, 'hub', 'spool.json')
    for (const classes of [undefined, [['high'], ['high', 'low']], [['high'], ['normal'], ['low']], 'all', [1]]) {
      writeFileSync(path, JSON.stringify({ version: 1, shards: 8, lanes: 2, classes }))
      assert.deepEqual(layoutOf({ lanes: 4, classes: apart }), [2, ONE_FOR_ALL], JSON.stringify(classes))
    }
  })

  it('tells of other hubs that have left batches and do not run', () => {
    fill(0)
    const of = (hubId: string) => readyOf(prepare({ hubId })).abandoned
    assert.deepEqual(of('other'), [join(directory, 'hub')])
    readyOf(prepare())
    assert.deepEqual(of('third'), [])
  })

  it('that is filled and says nothing has as many workers as have batches', () => {
    fill(2)
    writeFileSync(join(directory, 'hub', 'spool.json'), '{"ver')
    assert.equal(readyOf(prepare({ lanes: 1 })).lanes, 3)
  })

  it('of another format or number of shards is left alone, with a word on what to do', () => {
    readyOf(prepare()).release()
    fill(0)
    assert.match(problemOf(prepare({ shards: 4 })), /8 shards, not 4\. Fix: set store\.shards to 8/)
    writeFileSync(join(directory, 'hub', 'spool.json'), '{"version":9,"shards":8,"lanes":1}')
    assert.match(problemOf(prepare()), /format 9, not 1\. Fix: /)
    readyOf(prepare({ hubId: 'other' }))
  })

  it('that cannot be made is told, not thrown', () => {
    writeFileSync(join(directory, 'file'), '')
    const prepared = prepareSpool({
      directory: join(directory, 'file'),
      hubId: 'hub',
      shards: 8,
      lanes: 1,
      classes: ONE_FOR_ALL,
    })
    assert.match(problemOf(prepared), /Fix: make .* a directory that this user can write, or set spool\.dir/)
  })
})
