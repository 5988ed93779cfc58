/** Ambient light sensor BH1750: ROHM BH1750FVI and the modules GY-30 and GY-302. */
import { QUALITY } from '#core/model/quality'
import { type DriverTools, polledDriver } from '../contract/polled-driver.js'
import type { I2cPort } from '../contract/ports.js'
import { COUNT_MAX, countStep, illuminance } from './illuminance.js'
import {
  LONGEST_MS,
  MEASUREMENT_TIME_DEFAULT,
  MEASUREMENT_TIME_MAX,
  MEASUREMENT_TIME_MIN,
  measurementTimeOpcodes,
  ONE_TIME,
  POWER_ON,
  RESET,
  type Resolution,
  scaledMs,
} from './opcodes.js'
import { VirtualBh1750 } from './virtual-bh1750.js'

const RESOLUTIONS = Object.keys(ONE_TIME) as Resolution[]
/** The measurement time, the opcode that measured, the count. */
const RAW_LENGTH = 4
/** A write of one opcode with its address; a read of two bytes with its address. */
const MEASUREMENT = [2, 2, 2, 2, 2, 3].map((bytes) => ({ bytes }))

interface Bh1750Options {
  readonly resolution: Resolution
  readonly measurementTime: number
}

const longestMs = ({ resolution, measurementTime }: Bh1750Options) =>
  Math.ceil(scaledMs(LONGEST_MS[resolution], measurementTime))

export const driver = polledDriver({
  kind: 'polled',
  manifest: {
    name: 'bh1750',
    summary: 'illuminance: ROHM BH1750FVI, modules GY-30 and GY-302',
    source: 'ROHM BH1750FVI technical note 2009.04 Rev.B: characteristics, instruction set, I2C bus access',
    buses: ['i2c'],
    addresses: [0x23, 0x5c],
    maxClockHz: 400_000,
    probe: { rule: 'reads 0 after a reset, which a scan does not send', isCertain: false },
  },
  options: (field) => ({
    /** `high` and `high2` filter the flicker of lamps; `high2` has half the step and half the range of `high`. */
    resolution: field.oneOf('high', 'high2', 'low').default('high'),
    /** MTreg: longer is more sensitive, and slower. */
    measurement_time: field.integer(MEASUREMENT_TIME_MIN, MEASUREMENT_TIME_MAX).default(MEASUREMENT_TIME_DEFAULT),
  }),
  channels: ({ resolution, measurementTime }) => [
    {
      name: 'illuminance',
      quantity: 'illuminance',
      unit: 'lx',
      range: [0, illuminance(COUNT_MAX, resolution, measurementTime)],
      resolution: illuminance(countStep(resolution), resolution, measurementTime),
    },
  ],
  // Darkness is measured twice.
  cost: (options) => ({ transactions: [...MEASUREMENT, ...MEASUREMENT], conversionMs: 2 * longestMs(options) }),
  shortestEveryMs: (options) => 2 * longestMs(options),

  // No id and no register that reads back: a result that a reset clears is all that can be asked for.
  async initialise(port: I2cPort, _options, tools) {
    await send(port, [POWER_ON, RESET])
    const count = wordOf(await port.read(2))
    const at = `0x${port.address.toString(16)}`
    if (count === 0xffff) {
      throw tools.fault('io', `Nobody drives the data line at ${at}: check the wiring, the supply and the pull-ups.`)
    }
    if (count !== 0) {
      const read = `0x${count.toString(16).padStart(4, '0')}`
      throw tools.fault(
        'identity',
        `The chip at ${at} reads ${read} after a reset, a BH1750 reads 0: check the address.`,
      )
    }
    return new Uint8Array(0)
  },
  // A chip that lost power reads 0, as darkness does. Each measurement thus sets everything, and 0 has to come twice.
  async acquire(port: I2cPort, options, tools) {
    const first = await measure(port, options, tools)
    const count = wordOf(first) === 0 ? await measure(port, options, tools) : first
    return Uint8Array.of(options.measurementTime, ONE_TIME[options.resolution], ...count)
  },

  calibration: () => undefined,
  decode(raw, _calibration, _options, note) {
    if (raw.length !== RAW_LENGTH) {
      return { fault: 'short', message: `${raw.length} of ${RAW_LENGTH} bytes came: check the wiring.` }
    }
    const [measurementTime, opcode] = raw
    const resolution = RESOLUTIONS.find((name) => ONE_TIME[name] === opcode)
    if (!resolution || measurementTime < MEASUREMENT_TIME_MIN || measurementTime > MEASUREMENT_TIME_MAX) {
      return {
        fault: 'decode',
        message: `The bytes ${[...raw].join(' ')} begin with no measurement time and opcode: the recording is damaged.`,
      }
    }
    const count = wordOf(raw.subarray(2))
    const lux = illuminance(count, resolution, measurementTime)
    note?.('measurement time', measurementTime, `opcode 0x${opcode.toString(16)}: resolution ${resolution}`)
    note?.('count', count)
    note?.('illuminance', lux, `count / 1.2 × 69 / ${measurementTime}${resolution === 'high2' ? ' / 2' : ''}`)
    return [{ ageUs: 0, values: [lux], quality: [count === COUNT_MAX ? QUALITY.range : QUALITY.good] }]
  },

  emulate: () => new VirtualBh1750(),
})

/** One measurement from a cleared result, so that an older one never passes for it. */
async function measure(port: I2cPort, options: Bh1750Options, tools: DriverTools): Promise<Uint8Array> {
  const { resolution, measurementTime } = options
  await send(port, [POWER_ON, RESET, ...measurementTimeOpcodes(measurementTime), ONE_TIME[resolution]])
  await tools.pause(longestMs(options))
  return port.read(2)
}

async function send(port: I2cPort, opcodes: readonly number[]): Promise<void> {
  for (const opcode of opcodes) await port.write(Uint8Array.of(opcode))
}

function wordOf(bytes: Uint8Array): number {
  return (bytes[0] << 8) | bytes[1]
}
