import type { FilePort, I2cPort, LinePort, Port, SpiPort } from '../drivers/contract/ports.js'
import type { BusSeat } from './bus.js'
import type { FileLink, I2cLink, LineLink, SpiLink } from './bus-link.js'
import { bitsPerByte } from './bus-settings.js'

export interface PortOptions {
  /** I2C only. */
  readonly address?: number
  /** The highest that the chip can do; the bus may be slower. Hz. */
  readonly maxClockHz?: number
}

const NOTHING: readonly Uint8Array[] = []

/** What a driver sees of a bus. */
export function portOn(seat: BusSeat, { address = 0, maxClockHz = Number.POSITIVE_INFINITY }: PortOptions): Port {
  const { settings } = seat.bus
  switch (settings.kind) {
    case 'i2c':
      return i2cPort(seat, address, settings.clockHz)
    case 'spi':
      return spiPort(seat, Math.min(settings.clockHz, maxClockHz))
    case 'serial':
      return linePort(seat, 'serial', settings.baudRate, bitsPerByte(settings))
    case 'tcp':
      return linePort(seat, 'tcp', undefined, 8)
    case 'file':
      return filePort(seat, settings.root)
  }
}

function i2cPort({ bus, user }: BusSeat, address: number, clockHz: number): I2cPort {
  const one = (bytes: Uint8Array) => [bytes]
  return {
    kind: 'i2c',
    address,
    clockHz,
    write: (bytes) =>
      bus.call(user, {
        call: 'write',
        sent: [bytes],
        run: (link: I2cLink) => link.write(address, bytes),
        received: () => NOTHING,
      }),
    read: (count) =>
      bus.call(user, {
        call: 'read',
        sent: NOTHING,
        run: (link: I2cLink) => link.read(address, count),
        received: one,
      }),
    writeRead: (bytes, count) =>
      bus.call(user, {
        call: 'write-read',
        sent: [bytes],
        run: (link: I2cLink) => link.writeRead(address, bytes, count),
        received: one,
      }),
  }
}

function spiPort({ bus, user }: BusSeat, clockHz: number): SpiPort {
  return {
    kind: 'spi',
    clockHz,
    transfer: (frames) =>
      bus.call(user, {
        call: 'transfer',
        sent: frames,
        run: (link: SpiLink) => link.transfer(frames, clockHz),
        received: (answers: Uint8Array[]) => answers,
      }),
  }
}

function linePort(
  { bus, user }: BusSeat,
  kind: 'serial' | 'tcp',
  baudRate: number | undefined,
  bits: number,
): LinePort {
  return {
    kind,
    baudRate,
    bitsPerByte: bits,
    write: (bytes) =>
      bus.call(user, {
        call: 'write',
        sent: [bytes],
        run: (link: LineLink) => link.write(bytes, user.timeoutMs),
        received: () => NOTHING,
      }),
    exchange: (request, length) =>
      bus.call(user, {
        call: 'exchange',
        sent: [request],
        run: (link: LineLink) => link.exchange(request, length, user.timeoutMs),
        received: (answer: Uint8Array) => [answer],
      }),
  }
}

function filePort({ bus, user }: BusSeat, root: string): FilePort {
  const text = (written: string) => Buffer.from(written)
  return {
    kind: 'file',
    root,
    read: (path) =>
      bus.call(user, {
        call: 'read',
        sent: [text(path)],
        run: (link: FileLink) => link.read(path),
        received: (content: string) => [text(content)],
      }),
    write: (path, content) =>
      bus.call(user, {
        call: 'write',
        sent: [text(path), text(content)],
        run: (link: FileLink) => link.write(path, content),
        received: () => NOTHING,
      }),
    list: (path) =>
      bus.call(user, {
        call: 'list',
        sent: [text(path)],
        run: (link: FileLink) => link.list(path),
        received: (names: string[]) => names.map(text),
      }),
  }
}
