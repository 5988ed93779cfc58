import type { RootDatabase } from 'lmdb'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'

/** Ordered: rows with a common beginning lie together. */
export type RowKey = (string | number)[]

export interface Row<T = unknown> {
  key: RowKey
  value: T
}

/** The row must exist in this version. */
export interface Condition {
  key: RowKey
  version: number
}

export interface RowWrite {
  key: RowKey
  /** `undefined` deletes the row. */
  value: unknown
  /** Default 0. */
  version?: number
}

/** Virtual, not taken from the disk before it is needed. A 32-bit program has no room for more. */
const MAP_BYTES = ['arm', 'ia32', 'mips', 'mipsel'].includes(process.arch) ? 2 ** 28 : 2 ** 33

/**
 * Rows in one LMDB environment, shared by all processes of the host.
 *
 * A change is a list of writes under conditions, which LMDB checks and applies in one transaction on a thread of
 * libuv's pool: no JavaScript runs while the write lock is held, so the lock is held for microseconds, waiting for it
 * holds up nobody's event loop, and a process that is killed inside leaves it to the next (robust mutexes).
 *
 * Thread: main threads only. The addon aborts the whole process when a thread is terminated while it loads or opens
 * (node-addon-api throws into a dying isolate), which is why the logs, written by workers, do without it.
 */
export class RowStore {
  readonly #path: string
  readonly #rows: RootDatabase<unknown, RowKey>

  private constructor(path: string, rows: RootDatabase<unknown, RowKey>) {
    this.#path = path
    this.#rows = rows
  }

  /**
   * @param path directory of the environment; made when missing
   * @param outlives what a commit outlives once it has resolved. `power-cut`: flushed to the disk, and a cut at any time
   *   takes back at most commits that had not resolved. `process`: in the page cache; a cut may ruin the environment
   * @throws TLM_PACKAGE_MISSING lmdb is not installed
   * @throws TLM_STREAM_UNAVAILABLE the environment cannot be opened
   */
  static async open(path: string, outlives: 'power-cut' | 'process'): Promise<RowStore> {
    const { open } = await loadLmdb()
    try {
      const durability = outlives === 'process' ? { noSync: true } : {}
      return new RowStore(path, open<unknown, RowKey>({ path, useVersions: true, mapSize: MAP_BYTES, ...durability }))
    } catch (error) {
      throw unavailable(path, error)
    }
  }

  /** The row as of now. */
  get<T>(key: RowKey): { value: T; version: number } | undefined {
    this.#rows.resetReadTxn()
    const entry = this.#rows.getEntry(key)
    return entry as { value: T; version: number } | undefined
  }

  /** All rows whose key begins with `prefix`, which ends in an integer, as of now, in order. */
  list<T>(prefix: RowKey): Row<T>[] {
    this.#rows.resetReadTxn()
    const rows: Row<T>[] = []
    const range = { start: prefix, end: [...prefix.slice(0, -1), Number(prefix.at(-1)) + 1], snapshot: true }
    for (const { key, value } of this.#rows.getRange(range)) rows.push({ key, value: value as T })
    return rows
  }

  /**
   * Applies all writes, or none when a condition does not hold.
   *
   * @returns whether they were applied
   * @throws TLM_STREAM_UNAVAILABLE the disk failed or is full; nothing was applied
   */
  async commit(conditions: readonly Condition[], writes: readonly RowWrite[]): Promise<boolean> {
    try {
      return await this.#commit(conditions, writes)
    } catch (error) {
      const cause = await commitErrorOf(error)
      throw unavailable(this.#path, cause)
    }
  }

  /** Makes a row unless it is there. */
  async create({ key, value, version = 0 }: RowWrite): Promise<void> {
    try {
      await this.#rows.ifNoExists(key, () => void this.#rows.put(key, value, version))
    } catch (error) {
      throw unavailable(this.#path, await commitErrorOf(error))
    }
  }

  async close(): Promise<void> {
    await this.#rows.close()
  }

  async #commit([condition, ...more]: readonly Condition[], writes: readonly RowWrite[]): Promise<boolean> {
    let inner: Promise<boolean> | undefined
    const apply = () => {
      if (more.length > 0) inner = this.#commit(more, writes)
      else this.#write(writes)
    }
    const outer =
      condition === undefined ? this.#rows.batch(apply) : this.#rows.ifVersion(condition.key, condition.version, apply)
    const held = await Promise.all([outer, inner])
    return held.every((one) => one !== false)
  }

  #write(writes: readonly RowWrite[]): void {
    for (const { key, value, version = 0 } of writes) {
      if (value === undefined) this.#rows.remove(key)
      else this.#rows.put(key, value, version)
    }
  }
}

async function loadLmdb(): Promise<typeof import('lmdb')> {
  try {
    return await import('lmdb')
  } catch (error) {
    const message = 'The embedded store needs the package lmdb with its binary for this platform: run npm install lmdb.'
    throw new TelemetryError('TLM_PACKAGE_MISSING', message, { package: 'lmdb' }, error)
  }
}

/** lmdb rejects with "Commit failed" and hides the reason in a promise of its own. */
async function commitErrorOf(error: unknown): Promise<unknown> {
  const reason = (error as { commitError?: Promise<never> }).commitError
  if (reason === undefined) return error
  return reason.catch((cause: unknown) => cause)
}

function unavailable(path: string, error: unknown): TelemetryError {
  const message = `The embedded store's ${path} failed: ${messageOf(error)}. Fix: check the disk's space and health.`
  return new TelemetryError('TLM_STREAM_UNAVAILABLE', message, { path }, error)
}
