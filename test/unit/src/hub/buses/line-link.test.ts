import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TelemetryError } from '#core/errors/telemetry-error'
import { ChannelLink, gapMs } from '#src/hub/buses/line-link'
import { ScriptedChannel } from '#test/support/scripted-channel'
import { VirtualTime } from '#test/support/virtual-time'

const FACTS = { kind: 'serial', place: '/dev/ttyUSB0', baudRate: 9600, bitsPerByte: 10 } as const

function build(answer: (request: Uint8Array, send: (bytes: Uint8Array) => void, time: VirtualTime) => void) {
  const time = new VirtualTime()
  const written: { atMs: number; bytes: number[] }[] = []
  const channel = new ScriptedChannel((bytes, send) => {
    written.push({ atMs: time.monotonicMs(), bytes: [...bytes] })
    answer(bytes, send, time)
  })
  const link = new ChannelLink(channel, FACTS, time)
  const ask = (bytes: number[], wanted: number) => {
    const seen: { answer?: number[]; fault?: unknown; message?: string } = {}
    link
      .exchange(Uint8Array.from(bytes), (soFar) => (soFar.length > 0 ? wanted : undefined), 100)
      .then(
        (bytes) => {
          seen.answer = [...bytes]
        },
        (error: TelemetryError) => {
          seen.fault = error.details.fault
          seen.message = error.message
        },
      )
    return seen
  }
  return { time, channel, link, written, ask }
}

describe('questions on a line', () => {
  it('get an answer that comes in pieces, and no byte more', async () => {
    const { time, ask } = build(([first], send, time) => {
      for (const i of [1, 2, 3, 4]) time.after(10 * i, () => send(Uint8Array.of(first + i)))
    })
    const seen = ask([9], 3)
    await time.advance(35)
    assert.deepEqual(seen, { answer: [10, 11, 12] })
    // The fourth byte is not taken for the answer to the next.
    await time.advance(100)
    const next = ask([20], 2)
    await time.advance(100)
    assert.deepEqual(next, { answer: [21, 22] })
  })

  it('that nobody answers, or not to the end, fail in time and differ', async () => {
    const silent = build(() => {})
    const none = silent.ask([9], 3)
    await silent.time.advance(102)
    assert.equal(none.fault, 'timeout')
    const cut = build((_, send) => send(Uint8Array.of(1, 2)))
    const part = cut.ask([9], 3)
    await cut.time.advance(102)
    assert.equal(part.fault, 'short')
    assert.match(part.message!, /^2 of 3 bytes came on \/dev\/ttyUSB0/)
    assert.equal(cut.time.pending, 0)
  })

  it('are asked after the silence that separates frames', async () => {
    const { time, written, ask } = build((_, send) => send(Uint8Array.of(1)))
    ask([9], 1)
    await time.advance(0)
    ask([8], 1)
    await time.advance(50)
    // 3.5 characters of 10 bits at 9600 baud.
    assert.ok(Math.abs(written[1].atMs - 3.6458) < 0.001, `${written[1].atMs}`)
    assert.equal(gapMs(115_200, 10), 1.75)
  })

  it('fail at once when the line is lost or closed meanwhile', async () => {
    const lost = build(() => {})
    const first = lost.ask([9], 1)
    await lost.time.advance(1)
    lost.channel.fail(new Error('Serial port /dev/ttyUSB0 was lost.'))
    await lost.time.advance(0)
    assert.deepEqual([first.fault, first.message, lost.link.isLost], ['io', 'Serial port /dev/ttyUSB0 was lost.', true])
    const closed = build(() => {})
    const second = closed.ask([9], 1)
    await closed.time.advance(1)
    await closed.link.close()
    await closed.time.advance(0)
    assert.equal(second.fault, 'io')
    assert.equal(closed.link.isLost, false)
  })

  it('whose length cannot be told from nonsense fail with what the driver says', async () => {
    const { time, link } = build((_, send) => send(Uint8Array.of(1)))
    const broken = link.exchange(
      Uint8Array.of(9),
      () => {
        throw new Error('Byte 1 is no function.')
      },
      100,
    )
    const rejected = assert.rejects(broken, { message: 'Byte 1 is no function.' })
    await time.advance(1)
    await rejected
  })
})
