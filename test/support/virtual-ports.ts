/** Ports straight onto virtual devices: no bus, no addon, no thread. Drivers are tested alone through them. */
import { readFault } from '#src/hub/drivers/contract/fault'
import type { FilePort, I2cPort, LinePort, Port, SpiPort } from '#src/hub/drivers/contract/ports'
import type {
  VirtualDevice,
  VirtualFileDevice,
  VirtualI2cDevice,
  VirtualLineDevice,
  VirtualSpiDevice,
} from '#src/hub/drivers/contract/virtual-device'

/** How long {@link LinePort.exchange} waits for an answer that a virtual device gives at once, or never. */
const ANSWER_MS = 50

export function portOnto(device: VirtualDevice): Port {
  switch (device.bus) {
    case 'i2c':
      return i2cPort(device)
    case 'spi':
      return spiPort(device)
    case 'line':
      return linePort(device)
    case 'file':
      return filePort(device)
  }
}

export function i2cPort(device: VirtualI2cDevice, address = 0x76): I2cPort {
  const at = `address 0x${address.toString(16)}`
  const write = async (bytes: Uint8Array) => {
    if (device.write(Uint8Array.from(bytes)) < bytes.length) throw readFault('nack', `${at} acknowledged no write.`)
  }
  const read = async (count: number) => {
    const bytes = device.read(count)
    if (bytes === undefined) throw readFault('nack', `${at} acknowledged no read.`)
    return bytes
  }
  const writeRead = async (bytes: Uint8Array, count: number) => {
    await write(bytes)
    return read(count)
  }
  return { kind: 'i2c', address, clockHz: 100_000, write, read, writeRead }
}

export function spiPort(device: VirtualSpiDevice): SpiPort {
  const transfer = async (frames: readonly Uint8Array[]) =>
    frames.map((frame) => device.transfer(Uint8Array.from(frame)))
  return { kind: 'spi', clockHz: 1_000_000, transfer }
}

/** The device is connected from now on; it talks by itself only when asked to by its `every`, which is never called. */
export function linePort(device: VirtualLineDevice, kind: 'serial' | 'tcp' = 'serial'): LinePort {
  let came: number[] = []
  let onBytes = () => {}
  device.connect(
    (bytes) => {
      came.push(...bytes)
      onBytes()
    },
    () => () => {},
  )
  return {
    kind,
    baudRate: 9600,
    bitsPerByte: 10,
    write: async (bytes) => device.receive(Uint8Array.from(bytes)),
    async exchange(request, length) {
      came = []
      device.receive(Uint8Array.from(request))
      const isWhole = () => {
        const wanted = came.length === 0 ? undefined : length(Uint8Array.from(came))
        return wanted !== undefined && came.length >= wanted
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, isWhole() ? 0 : ANSWER_MS)
        onBytes = () => {
          if (!isWhole()) return
          clearTimeout(timer)
          resolve()
        }
      })
      onBytes = () => {}
      if (!isWhole()) throw readFault(came.length === 0 ? 'timeout' : 'short', `${came.length} bytes came.`)
      return Uint8Array.from(came.slice(0, length(Uint8Array.from(came))))
    },
  }
}

export function filePort(device: VirtualFileDevice): FilePort {
  return {
    kind: 'file',
    root: '/sys/virtual',
    async read(path) {
      const text = device.files()[path]
      if (text === undefined) throw readFault('missing', `There is no file ${path}.`)
      return text
    },
    write: async (path, text) => device.write(path, text),
    async list(path) {
      const prefix = path === '' ? '' : `${path}/`
      const names = Object.keys(device.files()).filter((file) => file.startsWith(prefix))
      return [...new Set(names.map((file) => file.slice(prefix.length).split('/')[0]!))].sort()
    },
  }
}
