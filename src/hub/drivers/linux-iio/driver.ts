import { factorOf, kernelDriver } from '../kernel/file-driver.js'
import { channelsOf } from '../kernel/inputs.js'
import { VirtualFiles } from '../kernel/virtual-files.js'
import { findInputs } from './find-inputs.js'
import { IIO_KINDS } from './iio-kinds.js'

/** Where the kernel shows its industrial I/O devices, below `/sys`. */
const PARENT = 'bus/iio/devices'

export const driver = kernelDriver({
  manifest: {
    name: 'linux-iio',
    summary: 'any of the hundreds of sensors that the Linux kernel has an IIO driver for',
    source: 'Linux Documentation/ABI/testing/sysfs-bus-iio',
    buses: ['file'],
    probe: { rule: `a folder iio:device* in /sys/${PARENT}, its chip in the file "name"`, isCertain: true },
  },
  parent: PARENT,
  prefix: 'iio:device',
  kinds: IIO_KINDS,
  findInputs,
  /** Shows each input raw, with a hundredth of the kernel's unit as its scale. */
  emulate({ chip = 'virtual', device = 'iio:device0', inputs }) {
    const fixed: Record<string, string> = { name: `${chip}\n` }
    const channels = channelsOf(inputs, IIO_KINDS)
    const files = inputs.map((input, at) => {
      fixed[`in_${input}_scale`] = '0.010000\n'
      fixed[`in_${input}_offset`] = '-100\n'
      const perUnit = 100 / factorOf(IIO_KINDS, input)
      return [channels[at]!.name, { file: `in_${input}_raw`, perUnit, offset: -100 }] as const
    })
    return new VirtualFiles(`${PARENT}/${device}`, fixed, Object.fromEntries(files))
  },
})
