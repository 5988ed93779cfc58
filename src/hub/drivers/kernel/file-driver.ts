import type { DriverManifest } from '../contract/manifest.js'
import type { OptionFields, OptionsOf } from '../contract/option-fields.js'
import { type DriverTools, polledDriver } from '../contract/polled-driver.js'
import type { FilePort } from '../contract/ports.js'
import type { VirtualFileDevice } from '../contract/virtual-device.js'
import {
  acquireInputs,
  channelsOf,
  decodeInputs,
  type FoundDevice,
  type FoundInput,
  findFolder,
  type InputKind,
  kindOf,
  readSetup,
  setupBytes,
} from './inputs.js'

function kernelShape({ text, list }: OptionFields) {
  return {
    /** Name of the chip as the kernel's driver says it, e.g. `bme280`, `cpu_thermal`. */
    chip: text(64).optional(),
    /** Folder, e.g. `iio:device0`, when several have that chip. Numbers may change with a reboot. */
    device: text(64).optional(),
    /** As the kernel names them, without prefix and ending, e.g. `temp, pressure` or `temp1, in0`. */
    inputs: list(text(60)),
  }
}

export type KernelShape = ReturnType<typeof kernelShape>
export type KernelOptions = OptionsOf<KernelShape>

/** What tells one class of the kernel's devices from another. */
export interface KernelClass {
  readonly manifest: DriverManifest
  /** Folder of its devices, below `/sys`. */
  readonly parent: string
  /** Of the folders that are devices. */
  readonly prefix: string
  readonly kinds: Readonly<Record<string, InputKind>>
  findInputs(port: FilePort, tools: DriverTools, folder: string, inputs: readonly string[]): Promise<FoundInput[]>
  emulate(options: KernelOptions): VirtualFileDevice
}

export interface KernelCalibration {
  readonly found: FoundDevice
  /** From the kernel's units to ours, one an input. */
  readonly factors: readonly number[]
}

/** A driver of values that the kernel shows as files, of one class of its devices. */
export function kernelDriver({ manifest, parent, prefix, kinds, findInputs, emulate }: KernelClass) {
  return polledDriver<KernelShape, FilePort, KernelCalibration>({
    kind: 'polled',
    manifest,
    options: kernelShape,
    channels: ({ inputs }) => channelsOf(inputs, kinds),
    cost: ({ inputs }) => ({ transactions: inputs.map(() => ({ bytes: 0 })), conversionMs: 0 }),
    shortestEveryMs: () => 1,
    async initialise(port, { chip, device, inputs }, tools) {
      const folder = await findFolder(port, tools, { parent, prefix, ...(chip && { chip }), ...(device && { device }) })
      return setupBytes({ folder, inputs: await findInputs(port, tools, folder, inputs) })
    },
    acquire: (port, _options, _tools, setup) => acquireInputs(port, setup),
    calibration: (bytes, { inputs }, fault) => ({
      found: readSetup(bytes, fault),
      factors: inputs.map((input) => factorOf(kinds, input)),
    }),
    decode: (raw, { found, factors }, _options, note) => decodeInputs(raw, found, factors, note),
    emulate,
  })
}

/** From the kernel's unit of an input to ours. */
export function factorOf(kinds: Readonly<Record<string, InputKind>>, input: string): number {
  return kindOf(kinds, input)?.factor ?? 1
}
