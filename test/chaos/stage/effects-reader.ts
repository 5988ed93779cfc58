import { existsSync, readFileSync } from 'node:fs'
import Database from 'libsql'
import { BatchDecoder } from '#core/codec/batch-codec'
import type { HandlerRun, Summary } from '../oracle/evidence.js'
import { CHANNEL, takenAtUsOf } from '../samples.js'

interface ChunkRow {
  id: number
  key: string
  body: ArrayBuffer | Uint8Array
}

interface SummaryRow {
  device: string
  body: string
}

const READ_AT_ONCE = 2000

/** Reads what took effect, out of the database of findings, while processors write to it and after. */
export class EffectsReader {
  /** Numbers by device, once for each stored batch that holds them. */
  readonly stored = new Map<string, number[]>()
  readonly aliens: string[] = []
  readonly #path: string
  readonly #decoder = new BatchDecoder()
  #database: Database.Database | undefined
  #lastId = 0

  constructor(path: string) {
    this.#path = path
  }

  /** Takes in what was stored since the last call. @returns how many batches that were */
  readNew(): number {
    const database = this.#open()
    if (database === undefined) return 0
    const rows = database
      .prepare('SELECT id, key, body FROM chunks WHERE id > ? ORDER BY id LIMIT ?')
      .all(this.#lastId, READ_AT_ONCE) as ChunkRow[]
    for (const { id, key, body } of rows) {
      this.#lastId = id
      this.#take(key, new Uint8Array(body))
    }
    return rows.length === READ_AT_ONCE ? rows.length + this.readNew() : rows.length
  }

  /** Highest number stored of a device, -1 before the first. */
  newest(device: string): number {
    return this.stored.get(device)?.at(-1) ?? -1
  }

  summaries(): Map<string, Summary> {
    const rows = (this.#open()
      ?.prepare("SELECT device, body FROM findings WHERE handler = 'telemetry.analyze'")
      .all() ?? []) as SummaryRow[]
    return new Map(rows.map(({ device, body }) => [device, JSON.parse(body) as Summary]))
  }

  close(): void {
    this.#database?.close()
  }

  /** The database and its tables are there once a processor has written. */
  #open(): Database.Database | undefined {
    if (this.#database === undefined && existsSync(this.#path)) {
      const database = new Database(this.#path)
      database.pragma('busy_timeout = 5000')
      database.pragma('query_only = ON')
      const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number }
      if (version > 0) this.#database = database
      else database.close()
    }
    return this.#database
  }

  #take(key: string, body: Uint8Array): void {
    const { series, seriesIndex, values, takenAtUs, count } = this.#decoder.decode(body)
    for (let row = 0; row < count; row++) {
      const { device, channel } = series[seriesIndex[row]]
      const number = values[row]
      if (channel !== CHANNEL || takenAtUs[row] !== takenAtUsOf(number)) {
        this.aliens.push(`${device}/${channel} ${number} at ${takenAtUs[row]} in ${key}`)
      }
      const known = this.stored.get(device)
      if (known === undefined) this.stored.set(device, [number])
      else known.push(number)
    }
  }
}

/** The runs that the effects handlers have written down; a last line that was cut by a kill is left out. */
export function readRuns(log: string): HandlerRun[] {
  if (!existsSync(log)) return []
  return readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as HandlerRun)
}
