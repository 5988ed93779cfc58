/** What goes wrong with hardware, by name. Each fault begins, lasts, and ends; nothing of it stays. */
import { constants } from 'node:os'
import type { BusKind } from '#src/hub/drivers/contract/manifest'
import type { BusFault } from '../bus-server.js'
import type { LineFault } from './line-wire.js'
import type { RigDevice } from './rig-device.js'
import type { BoardSeat, FilesSeat, WireSeat } from './seat.js'

const { EACCES, EIO, ENODEV, ENOENT, ENXIO, ETIMEDOUT } = constants.errno
/** Not among Node's constants. */
const EREMOTEIO = 121

export interface FaultKind {
  readonly name: string
  readonly bus: BusKind
  /** Results, or reasons of rejects, that may tell of it; one of them must. */
  readonly shows: readonly string[]
  /** Hits all devices of the bus. */
  readonly hitsBus?: boolean
  /** Whether it can be done to a device; absent: to all of the bus. */
  suits?(device: RigDevice): boolean
  /** @returns what ends it */
  begin(device: RigDevice, random: () => number): Promise<() => Promise<void>>
}

const hasChecksum = ({ options }: RigDevice) => options.hasChecksum
const isKnownByIdentity = ({ options }: RigDevice) => options.impostor !== undefined
const speaksFrames = (device: RigDevice) => hasChecksum(device) || device.seat.kind === 'tcp'
const speaksLines = (device: RigDevice) => device.options.driver === 'line'
const isAsked = ({ options }: RigDevice) => options.isAsked

function boardFault(
  bus: 'i2c' | 'spi',
  name: string,
  shows: readonly string[],
  fault: (device: RigDevice, random: () => number) => BusFault,
  suits?: FaultKind['suits'],
): FaultKind {
  return {
    name,
    bus,
    shows,
    ...(suits && { suits }),
    async begin(device, random) {
      const seat = device.seat as BoardSeat
      seat.fault = fault(device, random)
      return async () => {
        seat.fault = undefined
      }
    },
  }
}

function busFault(
  bus: 'i2c' | 'spi',
  name: string,
  shows: readonly string[],
  fault: (device: RigDevice) => BusFault,
): FaultKind {
  return {
    name,
    bus,
    shows,
    hitsBus: true,
    async begin(device) {
      const seat = device.seat as BoardSeat
      seat.disturbBus(fault(device))
      return async () => seat.disturbBus(undefined)
    },
  }
}

/** The adapter is gone, and its node is, or may not be opened when it is back. */
function nodeFault(bus: 'i2c' | 'spi', name: string, result: string, errno: number): FaultKind {
  return {
    name,
    bus,
    shows: [result],
    hitsBus: true,
    async begin(device) {
      const seat = device.seat as BoardSeat
      seat.disturbBus({ errno: ENODEV })
      seat.refuseNode(errno)
      return async () => {
        seat.refuseNode(undefined)
        seat.disturbBus(undefined)
      }
    },
  }
}

/** Without power it is not there; when it is back, it has forgotten its settings. */
function brownOut(bus: 'i2c' | 'spi', shows: readonly string[]): FaultKind {
  return {
    name: 'brown-out',
    bus,
    shows,
    async begin(device) {
      const seat = device.seat as BoardSeat
      seat.replace(undefined)
      return async () => {
        device.powerCycle()
        seat.replace(device.virtual)
      }
    },
  }
}

function wrongChip(bus: 'i2c' | 'spi'): FaultKind {
  return {
    name: 'wrong-chip',
    bus,
    shows: ['identity'],
    suits: isKnownByIdentity,
    async begin(device) {
      const seat = device.seat as BoardSeat
      // Chips are changed without power, so that the hub sees none for a moment.
      seat.replace(undefined)
      const timer = setTimeout(() => seat.replace(device.options.impostor!()), 500)
      return async () => {
        clearTimeout(timer)
        seat.replace(undefined)
        device.powerCycle()
        await new Promise((resolve) => setTimeout(resolve, 500))
        seat.replace(device.virtual)
      }
    },
  }
}

function deviceLineFault(
  bus: 'serial' | 'tcp',
  name: string,
  shows: readonly string[],
  suits: FaultKind['suits'],
  fault: (device: RigDevice, random: () => number) => LineFault,
): FaultKind {
  return {
    name,
    bus,
    shows,
    ...(suits && { suits }),
    async begin(device, random) {
      const { seat } = device.seat as WireSeat
      seat.fault = fault(device, random)
      return async () => {
        seat.fault = undefined
      }
    },
  }
}

function lineFault(
  bus: 'serial' | 'tcp',
  name: string,
  shows: readonly string[],
  suits: FaultKind['suits'],
  begin: (seat: WireSeat, random: () => number) => () => void,
): FaultKind {
  return {
    name,
    bus,
    shows,
    hitsBus: true,
    ...(suits && { suits }),
    async begin(device, random) {
      const end = begin(device.seat as WireSeat, random)
      return async () => end()
    },
  }
}

function unplug(bus: 'serial' | 'tcp'): FaultKind {
  return {
    name: 'unplug',
    bus,
    shows: ['io', 'missing', 'lost'],
    hitsBus: true,
    async begin({ seat }) {
      const { line } = seat as WireSeat
      await line.unplug()
      return () => line.plug()
    },
  }
}

/** One bit of each frame is another. */
function flipBit(bytes: Uint8Array, random: () => number): Uint8Array {
  const flipped = Uint8Array.from(bytes)
  flipped[Math.floor(random() * flipped.length)]! ^= 1 << Math.floor(random() * 8)
  return flipped
}

/** As a receiver hears a sender that is twice as fast: every other bit, and a frame of half the bytes. */
function atHalfTheRate(bytes: Uint8Array): Uint8Array {
  const heard = new Uint8Array(Math.ceil(bytes.length / 2))
  for (let at = 0; at < heard.length; at++) heard[at] = (bytes[2 * at]! & 0x55) | 0x80
  return heard
}

const half = (bytes: Uint8Array) => bytes.subarray(0, Math.floor(bytes.length / 2))
const silent: LineFault = { change: () => new Uint8Array(0) }

/** Bytes that belong to nothing, in front of what is sent and at times of their own; never a whole line of text. */
function noise(seat: WireSeat, random: () => number): () => void {
  const some = () => Uint8Array.from({ length: 1 + Math.floor(random() * 12) }, () => 0x80 | (random() * 128))
  const timer = setInterval(() => seat.line.wire.inject(some()), 70)
  seat.line.wire.fault = { change: (bytes) => Buffer.concat([some(), flipBit(bytes, random)]) }
  return () => {
    clearInterval(timer)
    seat.line.wire.fault = undefined
  }
}

/** Bytes of no text, each run of them a line. */
function textNoise(seat: WireSeat, random: () => number): () => void {
  const timer = setInterval(() => {
    const bytes = Array.from({ length: 1 + Math.floor(random() * 12) }, () => 0x80 | Math.floor(random() * 64))
    seat.line.wire.inject(Uint8Array.of(0x0a, ...bytes, 0x0a))
  }, 70)
  return () => clearInterval(timer)
}

const late = ({ options }: RigDevice) => options.timeoutMs * 1.5

export const FAULT_KINDS: readonly FaultKind[] = [
  boardFault('i2c', 'nack', ['nack'], () => ({ errno: ENXIO })),
  boardFault('i2c', 'nack-remote-io', ['nack'], () => ({ errno: EREMOTEIO })),
  boardFault(
    'i2c',
    'crc-flip',
    ['crc'],
    (_, random) => ({ garble: (bytes) => bytes.set(flipBit(bytes, random)) }),
    hasChecksum,
  ),
  boardFault('i2c', 'slow-slave', ['timeout'], (device) => ({ lateMs: late(device) })),
  busFault('i2c', 'stuck-bus', ['timeout'], () => ({ errno: ETIMEDOUT })),
  busFault('i2c', 'hanging-bus', ['timeout', 'busy'], (device) => ({ lateMs: 2 * late(device), errno: ETIMEDOUT })),
  nodeFault('i2c', 'node-gone', 'missing', ENOENT),
  nodeFault('i2c', 'no-permission', 'permission', EACCES),
  brownOut('i2c', ['nack', 'setup']),
  wrongChip('i2c'),

  boardFault('spi', 'transfer-error', ['io'], () => ({ errno: EIO })),
  boardFault('spi', 'data-line-high', ['io', 'identity'], () => ({ garble: (bytes) => bytes.fill(0xff) })),
  boardFault('spi', 'slow-slave', ['timeout'], (device) => ({ lateMs: late(device) })),
  nodeFault('spi', 'node-gone', 'missing', ENOENT),
  nodeFault('spi', 'no-permission', 'permission', EACCES),
  brownOut('spi', ['io', 'identity', 'setup']),
  wrongChip('spi'),

  ...(['serial', 'tcp'] as const).flatMap((bus) => [
    deviceLineFault(
      bus,
      'silent',
      ['timeout'],
      (device) => !speaksLines(device),
      () => silent,
    ),
    deviceLineFault(bus, 'half-frames', ['short', 'crc', 'decode', 'timeout'], speaksFrames, () => ({ change: half })),
    deviceLineFault(bus, 'slow-slave', ['timeout', 'wrong_source'], isAsked, (device) => ({ lateMs: late(device) })),
    unplug(bus),
  ]),
  deviceLineFault('serial', 'crc-flip', ['crc'], hasChecksum, (_, random) => ({
    change: (bytes) => flipBit(bytes, random),
  })),
  lineFault('serial', 'noise', ['crc', 'short', 'timeout', 'decode', 'wrong_source'], hasChecksum, noise),
  lineFault('serial', 'text-noise', ['line_not_utf8'], speaksLines, textNoise),
  lineFault('serial', 'wrong-baud', ['crc', 'short', 'timeout', 'decode', 'wrong_source'], hasChecksum, ({ line }) => {
    line.wire.fault = { change: atHalfTheRate }
    return () => {
      line.wire.fault = undefined
    }
  }),
  {
    name: 'wrong-device',
    bus: 'serial',
    shows: ['identity'],
    suits: isKnownByIdentity,
    async begin(device) {
      const { line, seat } = device.seat as WireSeat
      line.wire.replace(seat, undefined)
      const swap = () => line.wire.replace(seat, device.options.impostor!() as typeof seat.device)
      const timer = setTimeout(swap, 1500)
      return async () => {
        clearTimeout(timer)
        line.wire.replace(seat, undefined)
        await new Promise((resolve) => setTimeout(resolve, 500))
        line.wire.replace(seat, device.virtual as typeof seat.device)
      }
    },
  },

  {
    name: 'node-gone',
    bus: 'file',
    shows: ['missing'],
    async begin({ seat }) {
      const { files } = seat as FilesSeat
      await files.remove()
      return async () => files.restore()
    },
  },
]

/** What can be done to a device. */
export function faultsFor(device: RigDevice): FaultKind[] {
  return FAULT_KINDS.filter((kind) => kind.bus === device.seat.kind && (kind.suits?.(device) ?? true))
}
