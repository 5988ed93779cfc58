import { faultOf } from '../drivers/contract/fault.js'
import { unavailable } from './bus-fault.js'
import type { BusLink } from './bus-link.js'
import { type BusSettings, bitsPerByte, placeOf, type SerialBusSettings } from './bus-settings.js'
import type { BusTime } from './bus-time.js'
import { openFileLink } from './file-link.js'
import { openI2cLink } from './i2c-link.js'
import { ChannelLink } from './line-link.js'
import { findSerialPort, SERIAL_ROOTS, type SerialRoots } from './serial-match.js'
import { openSerialPort } from './serial-port.js'
import { openSpiLink } from './spi-link.js'
import { openTcpChannel } from './tcp-channel.js'

export type OpenLink = (settings: BusSettings, timeoutMs: number) => Promise<BusLink>

/** Opens real buses. Thread: the hub's main thread, as the packages for I2C and SPI allow one thread only. */
export function linkOpener(time: BusTime, roots: SerialRoots = SERIAL_ROOTS): OpenLink {
  return async (settings, timeoutMs) => {
    switch (settings.kind) {
      case 'i2c':
        return openI2cLink(settings)
      case 'spi':
        return openSpiLink(settings)
      case 'serial':
        return openSerial(settings, time, roots)
      case 'tcp': {
        const facts = { kind: 'tcp', place: placeOf(settings), baudRate: undefined, bitsPerByte: 8 } as const
        return new ChannelLink(await openTcpChannel(settings, timeoutMs, time), facts, time)
      }
      case 'file':
        return openFileLink(settings)
    }
  }
}

async function openSerial(settings: SerialBusSettings, time: BusTime, roots: SerialRoots): Promise<BusLink> {
  const { at, baudRate, dataBits, parity, stopBits } = settings
  const place = 'path' in at ? at.path : await findSerialPort(at.match, roots)
  const port = await openSerialPort({ path: place, baudRate, dataBits, parity, stopBits })
  return new ChannelLink(port, { kind: 'serial', place, baudRate, bitsPerByte: bitsPerByte(settings) }, time)
}

/** Whatever kept a bus from opening, as the error that devices wait and try again after. */
export function openFailure(error: unknown): unknown {
  const { code, message } = (error ?? {}) as { code?: string; message?: string }
  if (code === 'TLM_BUS_UNAVAILABLE' || code === 'TLM_PACKAGE_MISSING') return error
  return unavailable(faultOf(error), message ?? String(error), error)
}
