import { readdir, readFile, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { unavailable } from './bus-fault.js'
import { describeMatch, type SerialMatch } from './bus-settings.js'

/** Where the kernel tells of serial ports, and where their nodes are; other places in tests. */
export interface SerialRoots {
  readonly sys: string
  readonly dev: string
}

export const SERIAL_ROOTS: SerialRoots = { sys: '/sys', dev: '/dev' }

/** A serial port on USB. */
export interface UsbSerialPort extends Required<SerialMatch> {
  readonly path: string
}

/** Between a tty and its USB device there are its port and its interface; more is another kind of device. */
const LEVELS_UP = 4

/** All serial ports on USB, sorted by path. */
export async function usbSerialPorts({ sys, dev }: SerialRoots): Promise<UsbSerialPort[]> {
  const folder = join(sys, 'class', 'tty')
  const names = (await readdir(folder).catch(() => [])).sort()
  const ports = await Promise.all(names.map((name) => usbPort(join(folder, name, 'device'), join(dev, name))))
  return ports.filter((port) => port !== undefined)
}

/**
 * The path of the one adapter that matches, looked for anew each time: numbers of `ttyUSB` change as adapters are
 * plugged, and in another order at the next start.
 *
 * @throws TLM_BUS_UNAVAILABLE none matches, or more than one
 */
export async function findSerialPort(match: SerialMatch, roots: SerialRoots = SERIAL_ROOTS): Promise<string> {
  const ports = await usbSerialPorts(roots)
  const wanted = Object.entries(match).filter(([, value]) => value !== undefined)
  const found = ports.filter((port) => wanted.every(([key, value]) => port[key as keyof SerialMatch] === value))
  const what = describeMatch(match)
  if (found.length === 1) return found[0].path
  if (found.length === 0) {
    const seen = ports.map(({ path, ...facts }) => `${path} (${describeMatch(facts)})`).join('; ') || 'none'
    throw unavailable('missing', `No serial adapter with ${what}: plug it in, or correct match. There are: ${seen}.`)
  }
  const paths = found.map(({ path, port }) => `${path} (port ${port})`).join(' and ')
  throw unavailable('missing', `${what} matches ${paths}: add usb_serial or port to match, so that one is left.`)
}

async function usbPort(device: string, path: string): Promise<UsbSerialPort | undefined> {
  let folder = await realpath(device).catch(() => undefined)
  for (let level = 0; folder !== undefined && level < LEVELS_UP; level++, folder = dirname(folder)) {
    const vid = await fact(folder, 'idVendor')
    if (vid === '') continue
    const [pid, usbSerial] = await Promise.all([fact(folder, 'idProduct'), fact(folder, 'serial')])
    return { path, vid, pid, usbSerial, port: basename(folder) }
  }
  return undefined
}

/** Empty: the device does not tell. */
async function fact(folder: string, name: string): Promise<string> {
  return (await readFile(join(folder, name), 'utf8').catch(() => '')).trim()
}
