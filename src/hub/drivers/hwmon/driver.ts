import type { DriverTools } from '../contract/polled-driver.js'
import type { FilePort } from '../contract/ports.js'
import { factorOf, kernelDriver } from '../kernel/file-driver.js'
import { channelsOf, type FoundInput, type InputKind } from '../kernel/inputs.js'
import { VirtualFiles } from '../kernel/virtual-files.js'

const PARENT = 'class/hwmon'

/** Kinds of inputs and their units, see the kernel's Documentation/hwmon/sysfs-interface. */
const HWMON_KINDS: Readonly<Record<string, InputKind>> = {
  /** Milli degrees Celsius. */
  temp: { quantity: 'temperature', unit: 'Cel', factor: 1e-3 },
  /** Millivolts. */
  in: { quantity: 'voltage', unit: 'V', factor: 1e-3 },
  /** Milliamperes. */
  curr: { quantity: 'current', unit: 'A', factor: 1e-3 },
  /** Microwatts. */
  power: { quantity: 'power', unit: 'W', factor: 1e-6 },
  /** Microjoules. */
  energy: { quantity: 'energy', unit: 'J', factor: 1e-6 },
  /** Milli percent. */
  humidity: { quantity: 'relative_humidity', unit: '%', factor: 1e-3 },
  /** Revolutions per minute. */
  fan: { quantity: 'rotation', unit: '/min', factor: 1 },
}

async function findInputs(
  port: FilePort,
  tools: DriverTools,
  folder: string,
  inputs: readonly string[],
): Promise<FoundInput[]> {
  const files = new Set(await port.list(folder))
  const missing = inputs.find((input) => !files.has(`${input}_input`))
  if (missing !== undefined) {
    const there = [...files].flatMap((file) => /^(.+)_input$/.exec(file)?.[1] ?? []).join(', ') || 'none'
    throw tools.fault('setup', `${folder} has no input ${missing}; it has ${there}. Correct "inputs".`)
  }
  return inputs.map((name) => ({ name, file: `${name}_input`, offset: 0, scale: 1 }))
}

export const driver = kernelDriver({
  manifest: {
    name: 'hwmon',
    summary: "temperatures, voltages, currents and fans that the kernel's hardware monitoring shows",
    source: 'Linux Documentation/hwmon/sysfs-interface.rst',
    buses: ['file'],
    probe: { rule: `a folder hwmon* in /sys/${PARENT}, its chip in the file "name"`, isCertain: true },
  },
  parent: PARENT,
  prefix: 'hwmon',
  kinds: HWMON_KINDS,
  findInputs,
  emulate({ chip = 'virtual', device = 'hwmon0', inputs }) {
    const files = channelsOf(inputs, HWMON_KINDS).map(({ name }, at) => {
      const perUnit = 1 / factorOf(HWMON_KINDS, inputs[at]!)
      return [name, { file: `${inputs[at]}_input`, perUnit, offset: 0 }] as const
    })
    return new VirtualFiles(`${PARENT}/${device}`, { name: `${chip}\n` }, Object.fromEntries(files))
  },
})
