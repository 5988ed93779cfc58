/** What the kernel says of a bus, in the words of the drivers' contract: the kind of fault and what to do. */
import { constants } from 'node:os'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { type FaultKind, readFault } from '../drivers/contract/fault.js'

const { errno } = constants
/** Remote I/O error; not among Node's constants. */
const EREMOTEIO = 121

/** The error number, positive; `undefined` when the error has none. `i2c-bus` leaves `code` empty for some. */
export function errnoOf(error: unknown): number | undefined {
  const { errno: number, code } = (error ?? {}) as { errno?: unknown; code?: unknown }
  if (typeof number === 'number' && number !== 0) return Math.abs(number)
  return typeof code === 'string' ? (errno as Record<string, number>)[code] : undefined
}

/** Why one chip could not be talked to. @param at e.g. `address 0x76 of /dev/i2c-1` */
export function i2cFault(error: unknown, at: string): TelemetryError {
  const number = errnoOf(error)
  switch (number) {
    case errno.ENXIO:
    case errno.ENODEV:
    case errno.EIO:
    case EREMOTEIO:
      return readFault('nack', `Nothing acknowledges at ${at}: check wiring, power and address.`, error)
    case errno.ETIMEDOUT:
      return readFault('timeout', `The clock of the bus was held at ${at}: check pull-ups and the chip's power.`, error)
    case errno.EBUSY: {
      const text = `The chip at ${at} is bound by a driver of the kernel: use that one, or unbind it in sysfs.`
      return readFault('busy', text, error)
    }
    case errno.EAGAIN:
      return readFault('io', `Arbitration was lost at ${at}: check for another master and for noise.`, error)
    case errno.EOPNOTSUPP: {
      const text = `The adapter cannot do plain I2C transfers at ${at}: it speaks SMBus only, use another one.`
      return readFault('io', text, error)
    }
    default:
      return systemFault(error, at, 'i2c')
  }
}

const GROUPS = { i2c: 'i2c', spi: 'spi', serial: 'dialout' } as const
const ENABLE = {
  i2c: 'enable I2C ("sudo raspi-config nonint do_i2c 0", or dtparam=i2c_arm=on in config.txt)',
  spi: 'enable SPI ("sudo raspi-config nonint do_spi 0", or dtparam=spi=on in config.txt)',
  serial: 'plug the device in, or choose a path that "ls /dev/serial/by-id" shows',
} as const

/** Why a device node cannot be used at all. */
export function systemFault(error: unknown, at: string, bus: keyof typeof GROUPS): TelemetryError {
  switch (errnoOf(error)) {
    case errno.EACCES:
    case errno.EPERM: {
      const fix = `run "sudo usermod -aG ${GROUPS[bus]} $USER" and log in again`
      return readFault('permission', `No permission for ${at}: ${fix}.`, error)
    }
    case errno.ENOENT:
      return readFault('missing', `There is no ${at}: ${ENABLE[bus]}.`, error)
    case errno.EBUSY:
      return readFault(
        'busy',
        `${at} is in use by another program, or bound by a driver of the kernel: free it.`,
        error,
      )
    case errno.EMSGSIZE:
      return readFault('io', `A transfer at ${at} is longer than the kernel takes: raise spidev.bufsiz.`, error)
    default:
      return readFault(
        'io',
        `${at} failed: ${messageOf(error)}. Check the adapter and the kernel's log (dmesg).`,
        error,
      )
  }
}

/** The bus cannot be taken. */
export function unavailable(kind: FaultKind, message: string, cause?: unknown): TelemetryError {
  return new TelemetryError('TLM_BUS_UNAVAILABLE', message, { fault: kind }, cause)
}

/** An optional package is not installed. */
export function packageMissing(name: string, what: string, needs: string, cause: unknown): TelemetryError {
  const text = `${what} need the optional package "${name}": run "npm install ${name}"${needs} and start again.`
  return new TelemetryError('TLM_PACKAGE_MISSING', text, { package: name, fault: 'package' }, cause)
}

/** Whether an import failed as the package is not there, or not built. */
export function isNotInstalled(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown }
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND' || /bindings file/i.test(messageOf(error))
}
