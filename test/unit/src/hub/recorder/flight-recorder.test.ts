import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Acquisition } from '#src/hub/devices/observation'
import { FlightRecorder } from '#src/hub/recorder/flight-recorder'
import { readRecording } from '#src/hub/recorder/read-recording'
import type { RecordedLine } from '#src/hub/recorder/recording-format'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { VirtualTime } from '#test/support/virtual-time'

const directory = await temporaryDirectory('flight-recorder')

const at = (takenAtUs: number, setup: number[] = [1, 2]): Acquisition => ({
  device: 'roof',
  takenAtUs,
  tookMs: 1.5,
  raw: Uint8Array.of(takenAtUs & 0xff),
  setup: Uint8Array.from(setup),
  decoded: [{ ageUs: 0, values: [21.5, Number.NaN], quality: [0, 2] }],
})

async function linesOf(recorder: FlightRecorder): Promise<RecordedLine[]> {
  const { lines, damaged } = await readRecording((await recorder.dump()).file)
  const read: RecordedLine[] = []
  for await (const line of lines) read.push(line)
  assert.equal(damaged(), 0)
  return read
}

describe('the flight recorder', () => {
  it('writes bytes, setup, instants and values, and the setup only when it has changed', async () => {
    const time = new VirtualTime()
    const recorder = new FlightRecorder({ keepMs: 60_000, maxBytes: 1e6, directory }, {}, time)
    const now = time.nowUs()
    recorder.acquisition(at(now))
    recorder.acquisition(at(now + 1))
    recorder.acquisition(at(now + 2, [3]))
    const lines = await linesOf(recorder)
    assert.deepEqual(
      lines.map(({ takenAtUs, setup }) => [takenAtUs - now, setup]),
      [
        [0, '0102'],
        [1, '0102'],
        [2, '03'],
      ],
    )
    assert.deepEqual(lines[0]!.readings, [{ ageUs: 0, values: [21.5, null], quality: [0, 2] }])
    assert.deepEqual(
      (await readdir(directory)).filter((name) => name.endsWith('.part')),
      [],
    )
  })

  it('lets go of what is too old, and of what does not fit', async () => {
    const time = new VirtualTime()
    const old = new FlightRecorder({ keepMs: 1000, maxBytes: 1e9, directory: join(directory, 'old') }, {}, time)
    const now = time.nowUs()
    for (let i = 0; i < 3000; i++) old.acquisition(at(now - 3_000_000 + i * 1000))
    assert.equal((await linesOf(old)).length, 1000)
    const small = new FlightRecorder(
      { keepMs: 60_000, maxBytes: 10_000, directory: join(directory, 'small') },
      {},
      time,
    )
    for (let i = 0; i < 3000; i++) small.acquisition(at(now + i))
    assert.ok(small.bytes <= 10_000)
    const kept = await linesOf(small)
    assert.ok(kept.length > 10 && kept.at(-1)!.takenAtUs === now + 2999)
  })
})
