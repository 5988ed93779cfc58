import { polledDriver } from '../contract/polled-driver.js'
import type { FilePort } from '../contract/ports.js'
import { acquireInputs, channelsOf, decodeInputs, findFolder, kindOf, readSetup, setupBytes } from '../kernel/inputs.js'
import { VirtualFiles } from '../kernel/virtual-files.js'
import { findInputs } from './find-inputs.js'
import { IIO_KINDS } from './iio-kinds.js'

/** Where the kernel shows its industrial I/O devices, below `/sys`. */
const PARENT = 'bus/iio/devices'

export const driver = polledDriver({
  kind: 'polled',
  manifest: {
    name: 'linux-iio',
    summary: 'any of the hundreds of sensors that the Linux kernel has an IIO driver for',
    source: 'Linux Documentation/ABI/testing/sysfs-bus-iio',
    buses: ['file'],
    probe: { rule: `a folder iio:device* in /sys/${PARENT}, its chip in the file "name"`, isCertain: true },
  },
  options: ({ text, list }) => ({
    /** Name of the chip as its driver says it, e.g. `bme280`. */
    chip: text(64).optional(),
    /** Folder, e.g. `iio:device0`, when several have that chip. Numbers may change with a reboot. */
    device: text(64).optional(),
    /** Channels without `in_` and `_raw`, e.g. `temp, pressure, humidityrelative, voltage0, accel_x`. */
    inputs: list(text(60)),
  }),
  channels: ({ inputs }) => channelsOf(inputs, IIO_KINDS),
  cost: ({ inputs }) => ({ transactions: inputs.map(() => ({ bytes: 0 })), conversionMs: 0 }),
  shortestEveryMs: () => 1,
  async initialise(port: FilePort, { chip, device, inputs }, tools) {
    const where = { parent: PARENT, prefix: 'iio:device', ...(chip && { chip }), ...(device && { device }) }
    const folder = await findFolder(port, tools, where)
    return setupBytes({ folder, inputs: await findInputs(port, tools, folder, inputs) })
  },
  acquire: (port: FilePort, _options, _tools, setup) => acquireInputs(port, setup),
  calibration: readSetup,
  decode: (raw, found, { inputs }, note) =>
    decodeInputs(
      raw,
      found,
      inputs.map((input) => kindOf(IIO_KINDS, input)?.factor ?? 1),
      note,
    ),
  /** Shows each input raw, with a hundredth of the kernel's unit as its scale. */
  emulate({ chip = 'virtual', device = 'iio:device0', inputs }) {
    const fixed: Record<string, string> = { name: `${chip}\n` }
    const channels = channelsOf(inputs, IIO_KINDS)
    const files = inputs.map((input, at) => {
      fixed[`in_${input}_scale`] = '0.010000\n'
      fixed[`in_${input}_offset`] = '-100\n'
      const perUnit = 100 / (kindOf(IIO_KINDS, input)?.factor ?? 1)
      return [channels[at]!.name, { file: `in_${input}_raw`, perUnit, offset: -100 }] as const
    })
    return new VirtualFiles(`${PARENT}/${device}`, fixed, Object.fromEntries(files))
  },
})
