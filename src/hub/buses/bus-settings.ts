/** How each kind of bus is opened. */

export interface I2cBusSettings {
  readonly kind: 'i2c'
  /** `/dev/i2c-1`, or a link to it. */
  readonly path: string
  /** What the kernel drives it with (it is set there, not here), for the budget and for drivers. Hz. */
  readonly clockHz: number
}

/** One chip select. */
export interface SpiBusSettings {
  readonly kind: 'spi'
  /** `/dev/spidev0.0`, or a link to it. */
  readonly path: string
  readonly clockHz: number
  /** Clock polarity and phase. */
  readonly mode: 0 | 1 | 2 | 3
}

export type Parity = 'none' | 'even' | 'odd'

/** How the characters on a serial line look; see termios(3). */
export interface SerialFormat {
  /** Bits per second. */
  readonly baudRate: number
  readonly dataBits: 5 | 6 | 7 | 8
  readonly parity: Parity
  readonly stopBits: 1 | 1.5 | 2
}

/** How the serial port is set. */
export interface SerialSettings extends SerialFormat {
  /** E.g. `/dev/serial/by-id/usb-FTDI_FT232R_A50285BI`, which stays when `ttyUSB` numbers change. */
  readonly path: string
}

/** What a USB serial adapter must have; what is absent may be anything. */
export interface SerialMatch {
  /** The adapter's serial number, as `/dev/serial/by-id` shows it. */
  readonly usbSerial?: string
  /** Four hexadecimal digits, lower case, e.g. `0403`. */
  readonly vid?: string
  readonly pid?: string
  /** The USB socket it is in, e.g. `1-1.2`. */
  readonly port?: string
}

export interface SerialBusSettings extends SerialFormat {
  readonly kind: 'serial'
  /** Where the adapter is, or what it is. */
  readonly at: { readonly path: string } | { readonly match: SerialMatch }
}

export interface TcpBusSettings {
  readonly kind: 'tcp'
  readonly host: string
  readonly port: number
}

export interface FileBusSettings {
  readonly kind: 'file'
  /** Paths of drivers are relative to it. */
  readonly root: string
}

export type BusSettings = I2cBusSettings | SpiBusSettings | SerialBusSettings | TcpBusSettings | FileBusSettings

/** A bus of the configuration. */
export interface BusConfig {
  /** Label of its metrics. */
  readonly name: string
  readonly settings: BusSettings
  /** Share of its time that devices may need, in (0, 1]. */
  readonly budget: number
}

/** What it is, in messages: a path, or an address. */
export function placeOf(settings: BusSettings): string {
  switch (settings.kind) {
    case 'serial':
      return 'path' in settings.at ? settings.at.path : `a serial port with ${describeMatch(settings.at.match)}`
    case 'tcp':
      return `${settings.host}:${settings.port}`
    case 'file':
      return settings.root
    default:
      return settings.path
  }
}

/** `vid 0403, usb_serial A50285BI` */
export function describeMatch({ usbSerial, vid, pid, port }: SerialMatch): string {
  const parts = Object.entries({ usb_serial: usbSerial, vid, pid, port })
  return parts.flatMap(([key, value]) => (value === undefined ? [] : [`${key} ${value}`])).join(', ')
}

/** Bits of one character on the wire: start, data, parity and stop. */
export function bitsPerByte({ dataBits, parity, stopBits }: SerialFormat): number {
  return 1 + dataBits + (parity === 'none' ? 0 : 1) + stopBits
}
