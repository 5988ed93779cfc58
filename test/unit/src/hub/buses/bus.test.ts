import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TelemetryError } from '#core/errors/telemetry-error'
import { Bus } from '#src/hub/buses/bus'
import type { I2cLink } from '#src/hub/buses/bus-link'
import { portOn } from '#src/hub/buses/ports'
import { Observation } from '#src/hub/devices/observation'
import { readFault } from '#src/hub/drivers/contract/fault'
import type { I2cPort } from '#src/hub/drivers/contract/ports'
import { VirtualTime } from '#test/support/virtual-time'

/** A kernel's bus: nobody can end a call that has begun. */
function build() {
  const time = new VirtualTime()
  const kernel = { opens: 0, closes: 0, takesMs: 1, isBroken: false, isOpenFailing: false }
  const transfer = async () => {
    await time.pause(kernel.takesMs)
    if (kernel.isBroken) throw readFault('nack', 'Nothing acknowledges.')
    return Uint8Array.of(7)
  }
  const open = async (): Promise<I2cLink> => {
    kernel.opens++
    await time.pause(2)
    if (kernel.isOpenFailing) throw readFault('permission', 'No permission.')
    return {
      kind: 'i2c',
      isLost: false,
      endsInTime: false,
      write: async () => void (await transfer()),
      read: transfer,
      writeRead: transfer,
      close: async () => {
        kernel.closes++
      },
    }
  }
  const config = { name: 'i2c1', settings: { kind: 'i2c', path: '/dev/i2c-1', clockHz: 100_000 }, budget: 0.7 } as const
  const bus = new Bus({ config, time, open, observation: new Observation() })
  const device = (name: string, address: number) => {
    const seat = bus.join(name, 50)
    const port = portOn(seat, { address }) as I2cPort
    return { user: seat.user, port, open: () => bus.open(seat.user), close: () => bus.close(seat.user) }
  }
  return { time, kernel, bus, device }
}

const outcome = (work: Promise<unknown>) => {
  const seen = { text: 'waits' }
  work.then(
    () => {
      seen.text = 'ok'
    },
    (error: TelemetryError) => {
      seen.text = String(error.details.fault)
    },
  )
  return seen
}

describe('a bus', () => {
  it('is opened once for all who come at the same time, and closed by the last to go', async () => {
    const { time, kernel, bus, device } = build()
    const [a, b] = [device('a', 0x76), device('b', 0x77)]
    const opened = [outcome(a.open()), outcome(b.open())]
    await time.advance(10)
    assert.deepEqual(
      opened.map(({ text }) => text),
      ['ok', 'ok'],
    )
    assert.equal(kernel.opens, 1)
    await a.close()
    assert.ok(bus.isOpen)
    await b.close()
    assert.equal(kernel.closes, 1)
    assert.equal(bus.isOpen, false)
    const later = outcome(b.open())
    await time.advance(10)
    assert.equal(later.text, 'ok')
  })

  it('that nobody wants any more when it has been opened is closed at once', async () => {
    const { time, kernel, bus, device } = build()
    const a = device('a', 0x76)
    outcome(a.open())
    await time.advance(1)
    await a.close()
    await time.advance(10)
    assert.equal(bus.isOpen, false)
    assert.equal(kernel.closes, 1)
  })

  it('that cannot be opened says why', async () => {
    const { time, kernel, device } = build()
    kernel.isOpenFailing = true
    const opening = device('a', 0x76).open()
    time.advance(10)
    await assert.rejects(opening, { code: 'TLM_BUS_UNAVAILABLE', details: { fault: 'permission' } })
  })

  it('held by a call that does not end lets its caller go in time, and is free again when the call has ended', async () => {
    const { time, kernel, bus, device } = build()
    const [a, b] = [device('a', 0x76), device('b', 0x77)]
    outcome(a.open())
    outcome(b.open())
    await time.advance(10)
    kernel.takesMs = 1000
    const hung = outcome(a.port.read(1))
    const waits = outcome(b.port.read(1))
    await time.advance(49)
    assert.deepEqual([hung.text, waits.text], ['waits', 'waits'])
    await time.advance(1)
    assert.deepEqual([hung.text, waits.text], ['timeout', 'busy'])
    const comes = outcome(b.port.read(1))
    await time.advance(1)
    assert.equal(comes.text, 'busy')
    kernel.takesMs = 1
    await time.advance(1000)
    const after = outcome(b.port.read(1))
    await time.advance(2)
    assert.equal(after.text, 'ok')
    assert.equal(bus.counts.get('timeout'), 1)
    // The whole time that the call had the bus.
    assert.ok(Math.abs(bus.busySeconds - 1.001) < 1e-6, `${bus.busySeconds} s`)
    assert.equal(a.user.busyMs, 1000)
  })

  it('is opened anew for a device in trouble only while no other is well', async () => {
    const { time, kernel, bus, device } = build()
    const [a, b] = [device('a', 0x76), device('b', 0x77)]
    outcome(a.open())
    outcome(b.open())
    await time.advance(10)
    outcome(b.port.read(1))
    await time.advance(10)
    kernel.isBroken = true
    outcome(a.port.read(1))
    await time.advance(10)
    assert.equal(await bus.recover(a.user), false)
    const recovered = bus.recover(b.user)
    await time.advance(10)
    assert.equal(await recovered, true)
    assert.deepEqual([kernel.opens, kernel.closes, bus.recoveries], [2, 1, 1])
  })

  it('gives a device that is being stopped no turn until it opens the bus again', async () => {
    const { time, bus, device } = build()
    const a = device('a', 0x76)
    outcome(a.open())
    await time.advance(10)
    bus.cancel(a.user)
    await assert.rejects(a.port.read(1), TelemetryError)
    outcome(a.open())
    const again = outcome(a.port.read(1))
    await time.advance(10)
    assert.equal(again.text, 'ok')
  })
})
