import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createColumns, type SampleColumns } from '#core/model/columns'
import type { ListPublisher, PushResult } from '#core/transport/redis/list-publisher'
import { ListOutlet } from '#workers/drain/list-outlet'
import { SeriesCatalogue } from '#workers/drain/series-catalogue'

const SERIES = [
  { device: 'roof', channel: 'temperature', unit: 'celsius' },
  { device: 'roof', channel: 'type', unit: '' },
  { device: 'cellar', channel: 'humidity', unit: 'percent' },
]
const TAKEN_AT_US = Date.UTC(2026, 0, 4) * 1000

/** A publisher whose pushes end as the test says; the real one is tried with a real Redis in the hub's tests. */
class ScriptedPublisher implements ListPublisher {
  readonly list: string[] = []
  readonly failures: ((tasks: number) => PushResult)[] = []

  async push(tasks: readonly (Uint8Array | string)[]): Promise<PushResult> {
    const result = this.failures.shift()?.(tasks.length) ?? { pushed: tasks.length }
    this.list.push(...tasks.slice(0, result.pushed).map(String))
    return result
  }

  async close(): Promise<void> {}
}

function outletWith() {
  const publisher = new ScriptedPublisher()
  const redis = { host: 'h', port: 1, db: 0, tls: false, queueName: 'q', commandTimeoutMs: 1000 }
  const publish = { mode: 'list' as const, redis, taskType: 'telemetry.analyze' }
  const catalogue = new SeriesCatalogue(1, SERIES)
  const outlet = new ListOutlet(publisher, { publish, catalogue, producer: 'hub.r0', epoch: 7 })
  return { publisher, outlet, seqs: new Float64Array(1) }
}

/** Rows of `[series, value, sequence]`. */
function columnsOf(rows: readonly (readonly [number, number, number])[]): SampleColumns {
  const columns = createColumns(Math.max(1, rows.length))
  columns.count = rows.length
  for (const [row, [series, value, sequence]] of rows.entries()) {
    columns.series[row] = series
    columns.values[row] = value
    columns.sequences[row] = sequence
    columns.takenAtUs[row] = TAKEN_AT_US + sequence
    columns.priorities[row] = 1
  }
  return columns
}

describe('list mode', () => {
  it('makes one task of the samples of one device under one number', () => {
    const { outlet, seqs } = outletWith()
    const columns = columnsOf([
      [0, 20.5, 4],
      [1, 3, 4],
      [2, 60, 4],
      [0, 20.6, 5],
    ])
    columns.raw.set(0, Uint8Array.of(1, 2, 3))
    const [parcel] = outlet.cut(columns, seqs)
    assert.deepEqual([parcel.seq, parcel.samples, parcel.tasks.length], [1, 4, 3])
    const tasks = parcel.tasks.map((task) => JSON.parse(task))
    assert.deepEqual(
      tasks.map(({ payload }) => payload),
      [
        {
          device_id: 'roof',
          timestamp: '2026-01-04T00:00:00.000004Z',
          temperature: 20.5,
          // `type` would be the payload's own field.
          type_value: 3,
          raw_data: 'AQID',
        },
        { device_id: 'cellar', timestamp: '2026-01-04T00:00:00.000004Z', humidity: 60 },
        { device_id: 'roof', timestamp: '2026-01-04T00:00:00.000005Z', temperature: 20.6 },
      ],
    )
    assert.equal(new Set(tasks.map(({ id }) => id)).size, 3)
    assert.deepEqual(outlet.cut(columns, new Float64Array(1))[0].tasks, parcel.tasks, 'a successor makes the same')
  })

  it('loses no value of a channel that a reading has twice', () => {
    const { outlet, seqs } = outletWith()
    const [{ tasks }] = outlet.cut(
      columnsOf([
        [0, 1, 9],
        [0, 2, 9],
      ]),
      seqs,
    )
    assert.deepEqual(
      tasks.map((task) => JSON.parse(task).payload.temperature),
      [1, 2],
    )
  })

  it('leaves a reading that a full chunk may have torn for the next one', () => {
    const { outlet } = outletWith()
    const columns = columnsOf([
      [0, 1, 4],
      [0, 1, 5],
      [1, 1, 5],
    ])
    assert.equal(outlet.wholeRows(columns, true), 1)
    assert.equal(outlet.wholeRows(columns, false), 3)
    assert.equal(
      outlet.wholeRows(
        columnsOf([
          [0, 1, 4],
          [1, 1, 4],
        ]),
        true,
      ),
      2,
      'it must go on somehow',
    )
  })

  it('lets nothing overtake a push that failed, and repeats only what is not certainly there', async () => {
    const { outlet, publisher, seqs } = outletWith()
    const first = outlet.cut(
      columnsOf([
        [0, 1, 1],
        [0, 2, 2],
        [0, 3, 3],
      ]),
      seqs,
    )
    const second = outlet.cut(columnsOf([[0, 4, 4]]), seqs)
    publisher.failures.push(() => ({ pushed: 1, failure: { kind: 'unavailable', message: 'gone' } }))
    const outcomes = await Promise.all([outlet.append(first), outlet.append(second)])
    assert.deepEqual(
      outcomes.map(([{ kind }]) => kind),
      ['unavailable', 'unavailable'],
    )
    assert.equal(publisher.list.length, 1)
    const again = await outlet.append([...first, ...second])
    assert.deepEqual(
      again.map(({ kind }) => kind),
      ['stored', 'stored'],
    )
    const values = publisher.list.map((task) => JSON.parse(task).payload.temperature)
    assert.deepEqual(values, [1, 2, 3, 4])
  })
})
