import { stat } from 'node:fs/promises'
import { pause } from '#core/time/pause'

/** How often a path is looked at while a device is lost: a cable put back is noticed at once, to a human. */
const LOOK_MS = 100

/**
 * Tells when a device node that was away is there again. It is looked for, not watched: with the last adapter udev
 * removes the folder, too, in which the path will be.
 */
export class PathWatch {
  readonly #find: () => Promise<string | undefined>
  #tried: string | undefined

  /** @param find the path that counts now; `undefined` while there is none; must not reject */
  constructor(find: () => Promise<string | undefined>) {
    this.#find = find
  }

  /** What is there now is about to be opened. */
  async note(): Promise<void> {
    this.#tried = await this.#identity()
  }

  /**
   * Resolves when there is something that {@link note} has not seen, so that a try is worth its while; also when
   * `signal` aborts. Never rejects.
   */
  async whenNew(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = await this.#identity()
      if (now !== undefined && now !== this.#tried) return
      // Away: from now on whatever is there is new, also if it gets the same numbers.
      this.#tried = now
      await pause(LOOK_MS, signal)
    }
  }

  /** Of the node that the path leads to; `undefined`: it leads nowhere. */
  async #identity(): Promise<string | undefined> {
    const path = await this.#find()
    const found = path === undefined ? undefined : await stat(path, { bigint: true }).catch(() => undefined)
    return found && `${found.dev} ${found.ino} ${found.ctimeNs}`
  }
}
