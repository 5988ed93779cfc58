import { QUALITY } from '#core/model/quality'
import { type DriverTools, polledDriver } from '../contract/polled-driver.js'
import type { FilePort } from '../contract/ports.js'
import { decodeW1Slave } from './scratchpad.js'
import { VirtualDs18b20 } from './virtual-ds18b20.js'

/** Where w1_therm shows its thermometers, below `/sys`. */
const PARENT = 'bus/w1/devices'
/** Family codes of DS18B20, DS18S20 and DS1822 are 28, 10 and 22; the scratchpad of the 10 is another. */
const FAMILIES = /^(28|22)-[\da-f]{12}$/
/** Conversion by resolution from 9 bits on, milliseconds (datasheet, AC characteristics: 93.75 to 750). */
const CONVERSION_MS = [94, 188, 375, 750] as const
/** The kernel waits a little longer than the chip needs. */
const KERNEL_SLACK_MS = 50

async function folderOf(port: FilePort, id: string | undefined, tools: DriverTools): Promise<string> {
  const there = (await port.list(PARENT)).filter((name) => FAMILIES.test(name))
  const seen = there.join(', ') || 'none'
  if (id === undefined && there.length > 1) {
    throw tools.fault('identity', `There are several thermometers: ${seen}. Say which by "id".`)
  }
  const wanted = id ?? there[0]
  if (wanted !== undefined && there.includes(wanted)) return `${PARENT}/${wanted}`
  const fix = 'Check the wiring, "dtoverlay=w1-gpio" and "modprobe w1_therm".'
  throw tools.fault('missing', `No thermometer ${wanted ?? ''} on the 1-Wire bus; there: ${seen}. ${fix}`)
}

export const driver = polledDriver({
  kind: 'polled',
  manifest: {
    name: 'ds18b20',
    summary: '1-Wire thermometers DS18B20 and DS1822, read through the kernel',
    source: 'Maxim 19-7487 rev 6 (DS18B20); Linux Documentation/w1/slaves/w1_therm.rst',
    buses: ['file'],
    probe: { rule: `a folder 28-* or 22-* in /sys/${PARENT}`, isCertain: true },
  },
  options: ({ text, integer }) => ({
    /** Such as `28-00000a1b2c3d`; may be left out while there is only one. */
    id: text(15).optional(),
    /** 9 to 12 bits: 0.5 to 0.0625 °C in 94 to 750 ms. */
    resolution: integer(9, 12).default(12),
  }),
  channels: ({ resolution }) => [
    {
      name: 'temperature',
      quantity: 'temperature',
      unit: 'Cel',
      range: [-55, 125],
      resolution: 2 ** (8 - resolution),
      sentinels: [{ value: 85, quality: QUALITY.sentinel, meaning: 'register after power came, before a conversion' }],
    },
  ],
  cost: ({ resolution }) => ({
    transactions: [{ bytes: 0 }],
    conversionMs: CONVERSION_MS[resolution - 9]! + KERNEL_SLACK_MS,
  }),
  shortestEveryMs: ({ resolution }) => CONVERSION_MS[resolution - 9]! + KERNEL_SLACK_MS,
  async initialise(port: FilePort, { id, resolution }, tools) {
    const folder = await folderOf(port, id, tools)
    await port.write(`${folder}/w1_slave`, String(resolution))
    return Buffer.from(folder)
  },
  /** The read itself starts a conversion and ends when it is done; it runs beside the main thread. */
  acquire: async (port: FilePort, _options, _tools, setup) =>
    Buffer.from(await port.read(`${Buffer.from(setup).toString()}/w1_slave`)),
  calibration: () => undefined,
  decode: (raw, _calibration, _options, note) => decodeW1Slave(raw, note),
  emulate: ({ id = '28-0000000000aa' }) => new VirtualDs18b20(`${PARENT}/${id}`),
})
