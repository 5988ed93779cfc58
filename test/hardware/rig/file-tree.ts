import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { VirtualFileDevice } from '#src/hub/drivers/contract/virtual-device'

const REFRESH_MS = 50

/** A real folder that shows what virtual devices show in sysfs, anew every 50 ms, and tells them what is written there. */
export class FileTree {
  readonly root: string
  readonly #seats: FileSeat[] = []
  #timer: NodeJS.Timeout | undefined
  #refreshing: Promise<void> = Promise.resolve()

  constructor(root: string) {
    this.root = root
  }

  async add(device: VirtualFileDevice): Promise<FileSeat> {
    const seat = new FileSeat(this.root, device)
    this.#seats.push(seat)
    await seat.refresh()
    return seat
  }

  start(): void {
    this.#timer = setTimeout(async () => {
      this.#refreshing = this.#refresh()
      await this.#refreshing
      if (this.#timer !== undefined) this.start()
    }, REFRESH_MS)
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#refreshing
  }

  async #refresh(): Promise<void> {
    for (const seat of this.#seats) await seat.refresh()
  }
}

/** One device of the tree. */
export class FileSeat {
  readonly device: VirtualFileDevice
  readonly #root: string
  readonly #shown = new Map<string, string>()
  #isThere = true

  constructor(root: string, device: VirtualFileDevice) {
    this.#root = root
    this.device = device
  }

  /** The kernel's driver, or the chip, goes: its files are not there. */
  async remove(): Promise<void> {
    this.#isThere = false
    for (const path of this.#shown.keys()) await rm(join(this.#root, path), { force: true })
    for (const folder of new Set([...this.#shown.keys()].map((path) => dirname(path)))) {
      await rm(join(this.#root, folder), { recursive: true, force: true })
    }
    this.#shown.clear()
  }

  restore(): void {
    this.#isThere = true
  }

  async refresh(): Promise<void> {
    if (!this.#isThere) return
    for (const [path, shown] of this.#shown) {
      const found = await readFile(join(this.#root, path), 'utf8').catch(() => shown)
      if (found !== shown) this.device.write(path, found)
    }
    for (const [path, text] of Object.entries(this.device.files())) {
      if (!this.#isThere) return
      const file = join(this.#root, path)
      await mkdir(dirname(file), { recursive: true })
      // A file is whole at each moment, as the kernel's are.
      await writeFile(`${file}.next`, text)
      await rename(`${file}.next`, file)
      this.#shown.set(path, text)
    }
  }
}
