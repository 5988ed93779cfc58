import { polledDriver } from '../contract/polled-driver.js'
import type { FilePort } from '../contract/ports.js'
import {
  acquireInputs,
  channelsOf,
  decodeInputs,
  findFolder,
  type InputKind,
  kindOf,
  readSetup,
  setupBytes,
} from '../kernel/inputs.js'
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

export const driver = polledDriver({
  kind: 'polled',
  manifest: {
    name: 'hwmon',
    summary: "temperatures, voltages, currents and fans that the kernel's hardware monitoring shows",
    source: 'Linux Documentation/hwmon/sysfs-interface.rst',
    buses: ['file'],
    probe: { rule: `a folder hwmon* in /sys/${PARENT}, its chip in the file "name"`, isCertain: true },
  },
  options: ({ text, list }) => ({
    /** Name of the chip as its driver says it, e.g. `cpu_thermal`, `coretemp`. */
    chip: text(64).optional(),
    /** Folder, e.g. `hwmon0`, when several have that chip. Numbers may change with a reboot. */
    device: text(64).optional(),
    /** Without `_input`, e.g. `temp1, in0, curr1, power1, fan1`. */
    inputs: list(text(60)),
  }),
  channels: ({ inputs }) => channelsOf(inputs, HWMON_KINDS),
  cost: ({ inputs }) => ({ transactions: inputs.map(() => ({ bytes: 0 })), conversionMs: 0 }),
  shortestEveryMs: () => 1,
  async initialise(port: FilePort, { chip, device, inputs }, tools) {
    const where = { parent: PARENT, prefix: 'hwmon', ...(chip && { chip }), ...(device && { device }) }
    const folder = await findFolder(port, tools, where)
    const files = new Set(await port.list(folder))
    const missing = inputs.find((input) => !files.has(`${input}_input`))
    if (missing !== undefined) {
      const there = [...files].flatMap((file) => /^(.+)_input$/.exec(file)?.[1] ?? []).join(', ') || 'none'
      throw tools.fault('setup', `${folder} has no input ${missing}; it has ${there}. Correct "inputs".`)
    }
    const found = inputs.map((name) => ({ name, file: `${name}_input`, offset: 0, scale: 1 }))
    return setupBytes({ folder, inputs: found })
  },
  acquire: (port: FilePort, _options, _tools, setup) => acquireInputs(port, setup),
  calibration: readSetup,
  decode: (raw, found, { inputs }, note) =>
    decodeInputs(
      raw,
      found,
      inputs.map((input) => kindOf(HWMON_KINDS, input)?.factor ?? 1),
      note,
    ),
  emulate({ chip = 'virtual', device = 'hwmon0', inputs }) {
    const files = channelsOf(inputs, HWMON_KINDS).map(({ name }, at) => {
      const perUnit = 1 / (kindOf(HWMON_KINDS, inputs[at]!)?.factor ?? 1)
      return [name, { file: `${inputs[at]}_input`, perUnit, offset: 0 }] as const
    })
    return new VirtualFiles(`${PARENT}/${device}`, { name: `${chip}\n` }, Object.fromEntries(files))
  },
})
