import { realpath } from 'node:fs/promises'
import type { SpiDevice, SpiMessage } from 'spi-device'
import { faultOf } from '../drivers/contract/fault.js'
import { isNotInstalled, packageMissing, systemFault, unavailable } from './bus-fault.js'
import type { SpiLink } from './bus-link.js'
import type { SpiBusSettings } from './bus-settings.js'

/** What the kernel takes in one message (`spidev.bufsiz`). */
const MESSAGE_BYTES = 4096

/**
 * Opens one chip select of an SPI bus through package `spi-device`, which is loaded here and nowhere else. The package
 * is not context-aware: it may be loaded in one thread of a process only, the hub's main thread.
 *
 * @throws TLM_PACKAGE_MISSING, TLM_BUS_UNAVAILABLE
 */
export async function openSpiLink({ path, mode, clockHz }: SpiBusSettings): Promise<SpiLink> {
  const [bus, device] = await chipSelect(path)
  const spi = await loadPackage()
  const opened = await new Promise<SpiDevice>((resolve, reject) => {
    const made: SpiDevice = spi.open(bus, device, { mode, maxSpeedHz: clockHz }, (error) => {
      if (error) reject(error)
      else resolve(made)
    })
  }).catch((error: unknown) => {
    const fault = systemFault(error, path, 'spi')
    throw unavailable(faultOf(fault), fault.message, error)
  })
  return new PackageSpiLink(opened, path)
}

async function loadPackage(): Promise<typeof import('spi-device')> {
  try {
    const module = (await import('spi-device')) as unknown as { default: typeof import('spi-device') }
    return module.default
  } catch (error) {
    if (!isNotInstalled(error)) throw unavailable('package', `Package spi-device cannot be loaded: ${error}.`, error)
    throw packageMissing('spi-device', 'SPI devices', ' (it is compiled: "sudo apt install build-essential")', error)
  }
}

async function chipSelect(path: string): Promise<[bus: number, device: number]> {
  const target = await realpath(path).catch(() => path)
  const match = /^\/dev\/spidev(\d+)\.(\d+)$/.exec(target)
  if (match === null) throw unavailable('missing', `${path} is no SPI device: give a path such as /dev/spidev0.0.`)
  return [Number(match[1]), Number(match[2])]
}

class PackageSpiLink implements SpiLink {
  readonly kind = 'spi'
  readonly endsInTime = false
  readonly isLost = false
  readonly #device: SpiDevice
  readonly #path: string
  #isOpen = true

  constructor(device: SpiDevice, path: string) {
    this.#device = device
    this.#path = path
  }

  async transfer(frames: readonly Uint8Array[], clockHz: number): Promise<Uint8Array[]> {
    const answers: Uint8Array[] = []
    for (const group of messagesOf(frames)) answers.push(...(await this.#message(group, clockHz)))
    return answers
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await new Promise<void>((resolve) => this.#device.close(() => resolve()))
  }

  #message(frames: readonly Uint8Array[], clockHz: number): Promise<Uint8Array[]> {
    const message: SpiMessage = frames.map((frame, index) => ({
      sendBuffer: Buffer.from(frame),
      receiveBuffer: Buffer.alloc(frame.length),
      byteLength: frame.length,
      speedHz: clockHz,
      // After the last frame it would mean the opposite: chip select stays low.
      chipSelectChange: index < frames.length - 1,
    }))
    return new Promise((resolve, reject) => {
      this.#device.transfer(message, (error, done) => {
        if (error) reject(systemFault(error, this.#path, 'spi'))
        else resolve(done.map(({ receiveBuffer }) => receiveBuffer!))
      })
    })
  }
}

/** As few messages as the kernel takes; chip select rises between them as it does between frames. */
function messagesOf(frames: readonly Uint8Array[]): Uint8Array[][] {
  const messages: Uint8Array[][] = []
  let bytes = MESSAGE_BYTES
  for (const frame of frames) {
    if (bytes + frame.length > MESSAGE_BYTES) {
      messages.push([])
      bytes = 0
    }
    messages.at(-1)!.push(frame)
    bytes += frame.length
  }
  return messages
}
