import { constants as fs } from 'node:fs'
import { open, readdir, realpath } from 'node:fs/promises'
import { constants } from 'node:os'
import { isAbsolute, join, normalize, sep } from 'node:path'
import { messageOf, type TelemetryError } from '#core/errors/telemetry-error'
import { readFault } from '../drivers/contract/fault.js'
import { errnoOf, unavailable } from './bus-fault.js'
import type { FileLink } from './bus-link.js'
import type { FileBusSettings } from './bus-settings.js'

/** What is read of a file at most. */
const FILE_BYTES = 4096
/** Links inside of the kernel's tree lead across it, e.g. from `bus/iio/devices` into `devices`. */
const KERNEL_TREE = '/sys'

/** @throws TLM_BUS_UNAVAILABLE there is no such folder */
export async function openFileLink({ root }: FileBusSettings): Promise<FileLink> {
  let real: string
  try {
    real = await realpath(root)
  } catch (error) {
    const text = `There is no folder ${root}: load the kernel's driver (modprobe, dtoverlay), or correct the root.`
    throw unavailable('missing', text, error)
  }
  const isKernels = real === KERNEL_TREE || real.startsWith(KERNEL_TREE + sep)
  return new FolderLink(real, isKernels ? KERNEL_TREE : real)
}

class FolderLink implements FileLink {
  readonly kind = 'file'
  readonly endsInTime = false
  readonly isLost = false
  readonly #root: string
  /** Nothing outside is touched, wherever links lead. */
  readonly #bounds: string

  constructor(root: string, bounds: string) {
    this.#root = root
    this.#bounds = bounds
  }

  async read(path: string): Promise<string> {
    return this.#inside(path, async (file) => {
      const handle = await open(file, 'r')
      try {
        const buffer = Buffer.alloc(FILE_BYTES)
        const { bytesRead } = await handle.read(buffer, 0, FILE_BYTES, 0)
        return buffer.toString('utf8', 0, bytesRead)
      } finally {
        await handle.close()
      }
    })
  }

  async write(path: string, text: string): Promise<void> {
    // Not created: a file of the kernel is there, or it is not.
    await this.#inside(path, async (file) => {
      const handle = await open(file, fs.O_WRONLY | fs.O_TRUNC)
      try {
        await handle.writeFile(text)
      } finally {
        await handle.close()
      }
    })
  }

  async list(path: string): Promise<string[]> {
    try {
      return await this.#inside(path, async (folder) => (await readdir(folder)).sort())
    } catch (error) {
      if ((error as TelemetryError).details?.fault === 'missing') return []
      throw error
    }
  }

  async close(): Promise<void> {}

  async #inside<T>(path: string, use: (file: string) => Promise<T>): Promise<T> {
    const relative = normalize(path)
    if (isAbsolute(path) || relative === '..' || relative.startsWith(`..${sep}`)) {
      throw readFault('setup', `${path} is not below ${this.#root}: give a path relative to it.`)
    }
    try {
      const file = await realpath(join(this.#root, relative))
      if (file !== this.#bounds && !file.startsWith(this.#bounds + sep)) {
        throw readFault('setup', `${path} leads out of ${this.#bounds}, to ${file}: that is not allowed.`)
      }
      return await use(file)
    } catch (error) {
      throw fileFault(error, join(this.#root, relative))
    }
  }
}

function fileFault(error: unknown, file: string): unknown {
  const { errno } = constants
  switch (errnoOf(error)) {
    case undefined:
      return error
    case errno.ENOENT:
    case errno.ENOTDIR:
      return readFault('missing', `There is no ${file}: see that the sensor is connected and its driver loaded.`, error)
    case errno.ENODEV:
    case errno.ENXIO:
      return readFault('nack', `The sensor behind ${file} does not answer: check its wiring.`, error)
    case errno.EACCES:
    case errno.EPERM:
      return readFault('permission', `No permission for ${file}: give the hub's user the right by a udev rule.`, error)
    case errno.ETIMEDOUT:
      return readFault('timeout', `The sensor behind ${file} did not answer in time: check its wiring.`, error)
    case errno.EBUSY:
      return readFault('busy', `${file} is in use, e.g. by a running IIO buffer: end that.`, error)
    default:
      return readFault('io', `${file} failed: ${messageOf(error)}. See the kernel's log (dmesg).`, error)
  }
}
