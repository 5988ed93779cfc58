import type { AnyPolledDriver } from '#src/hub/drivers/contract/driver-module'
import { polledDriver } from '#src/hub/drivers/contract/polled-driver'
import type { LinePort } from '#src/hub/drivers/contract/ports'

/**
 * A small driver for lines: asks `[unit]` and gets `[unit, value]`; `[unit, 0xff]` sets the device up, its answer is
 * `[unit, offset]`, which is added to every value.
 */
export const askingDriver: AnyPolledDriver = polledDriver({
  kind: 'polled',
  manifest: { name: 'asking', summary: 'a test device', source: 'none', buses: ['serial', 'tcp'] },
  options: (field) => ({ unit: field.integer(0, 250) }),
  channels: () => [{ name: 'level', quantity: 'level', unit: '%' }],
  cost: () => ({ transactions: [{ bytes: 3 }], conversionMs: 0, answerMs: 5 }),
  shortestEveryMs: () => 1,
  async initialise(port: LinePort, { unit }, tools) {
    const answer = await port.exchange(Uint8Array.of(unit, 0xff), () => 2)
    if (answer[0] !== unit) throw tools.fault('identity', `Unit ${answer[0]} is there, not ${unit}.`)
    return answer
  },
  async acquire(port: LinePort, { unit }, tools) {
    const answer = await port.exchange(Uint8Array.of(unit), () => 2)
    if (answer[1] === 0xee) throw tools.fault('setup', 'The device has lost its setup.')
    return answer
  },
  calibration: (bytes) => bytes[1],
  decode: (raw, offset: number, { unit }) =>
    raw[0] === unit
      ? [{ ageUs: 0, values: [raw[1] + offset] }]
      : { fault: 'wrong_source', message: `Unit ${raw[0]} answered.` },
  emulate: () => {
    throw new Error('Tests have their own other end.')
  },
})

/** As a module of a driver has it. */
export const driver = askingDriver
