import { read } from 'node:fs'
import { promisify } from 'node:util'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import type { FaultKind } from '../drivers/contract/fault.js'
import { isNotInstalled, packageMissing, unavailable } from './bus-fault.js'
import type { SerialSettings } from './bus-settings.js'

/** An open serial port, read by asking: who does not ask lets the kernel's flow control hold the sender. */
export interface SerialPort {
  /**
   * Reads what has come, at least one byte.
   *
   * @returns the number of bytes put into `into`, or `undefined` when the port was closed here meanwhile
   * @throws TLM_BUS_UNAVAILABLE when the device is gone
   */
  read(into: Buffer): Promise<number | undefined>
  /** @throws TLM_BUS_UNAVAILABLE */
  write(bytes: Uint8Array): Promise<void>
  /** Ends a pending read. */
  close(): Promise<void>
}

/** What we use of the binding's port. On POSIX it has the descriptor and a poller, elsewhere neither. */
interface BoundPort {
  readonly isOpen: boolean
  readonly fd?: number | null
  readonly poller?: { once(event: 'readable', callback: (error: Error | null) => void): unknown }
  read(buffer: Buffer, offset: number, length: number): Promise<{ bytesRead: number }>
  write(buffer: Buffer): Promise<void>
  close(): Promise<void>
}

/**
 * Opens and locks a real serial port through package `serialport`, which is loaded here and nowhere else.
 *
 * @throws TLM_PACKAGE_MISSING when the package is not installed
 * @throws TLM_BUS_UNAVAILABLE when the device is absent, not permitted, or held by another program
 */
export async function openSerialPort(settings: SerialSettings): Promise<SerialPort> {
  const { path, baudRate, dataBits, parity, stopBits } = settings
  const binding = await loadBinding()
  try {
    return wrap(await binding.open({ path, baudRate, dataBits, parity, stopBits }), path)
  } catch (error) {
    const [fault, text] = explainOpenFailure(path, messageOf(error))
    throw new TelemetryError('TLM_BUS_UNAVAILABLE', text, { path, fault }, error)
  }
}

async function loadBinding() {
  try {
    const { SerialPort: Serial } = await import('serialport')
    return Serial.binding
  } catch (error) {
    if (!isNotInstalled(error)) throw unavailable('package', `Package serialport cannot be loaded: ${error}.`, error)
    throw packageMissing('serialport', 'Serial devices', '', error)
  }
}

/** The binding's errors have a text only. */
function explainOpenFailure(path: string, cause: string): [FaultKind, string] {
  if (/permission denied/i.test(cause)) {
    const fix = 'add the user to its group ("sudo usermod -aG dialout $USER") and log in again'
    return ['permission', `No permission for serial port ${path}: ${fix}.`]
  }
  if (/no such (file|device)/i.test(cause)) {
    const fix = 'plug the device in, or choose a path that "ls /dev/serial/by-id" shows'
    return ['missing', `No serial port at ${path}: ${fix}.`]
  }
  if (/lock|busy/i.test(cause)) return ['busy', `Serial port ${path} is in use by another program: end that program.`]
  const text = cause.replace(/^Error: /, '')
  return ['io', `Serial port ${path} cannot be opened: ${text}. Check that it is a serial device.`]
}

function wrap(port: BoundPort, path: string): SerialPort {
  const lost = (error: unknown) => {
    const text = `Serial port ${path} was lost (${messageOf(error)}): check the cable and the device's power.`
    return new TelemetryError('TLM_BUS_UNAVAILABLE', text, { path, fault: 'io' }, error)
  }
  return {
    async read(into) {
      try {
        return await readSome(port, into)
      } catch (error) {
        if (!port.isOpen) return undefined
        throw lost(error)
      }
    },
    async write(bytes) {
      await port.write(Buffer.from(bytes)).catch((error: unknown) => {
        throw lost(error)
      })
    },
    async close() {
      if (port.isOpen) await port.close()
    },
  }
}

const readDescriptor = promisify(read)

/**
 * The binding's own read (13.0.0) takes the end of file, which is what a terminal gives after hang-up, for "nothing
 * yet" and asks again for ever: a core at 100 % and an unplugged device never noticed. So on POSIX we read ourselves.
 */
async function readSome(port: BoundPort, into: Buffer): Promise<number> {
  const { poller } = port
  if (poller === undefined) return (await port.read(into, 0, into.length)).bytesRead
  for (;;) {
    if (typeof port.fd !== 'number') throw new Error('closed')
    try {
      const { bytesRead } = await readDescriptor(port.fd, into, 0, into.length, null)
      if (bytesRead > 0) return bytesRead
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'EINTR') continue
      if (code !== 'EAGAIN' && code !== 'EWOULDBLOCK') throw error
      // Closed while the read was under way: its poller is destroyed, and would take the process with it.
      if (!port.isOpen) throw new Error('closed')
      await new Promise<void>((resolve, reject) => {
        poller.once('readable', (failure) => (failure ? reject(failure) : resolve()))
      })
      continue
    }
    throw new Error('hung up')
  }
}
