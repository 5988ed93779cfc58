/**
 * Findings and stored batches in one SQLite file. Runs in sink threads only, which load it by URL: every call blocks.
 *
 * WAL with `synchronous = NORMAL`: a commit survives any end of the process; a power cut can undo the last ones, never
 * damage the file (https://sqlite.org/wal.html). Several processors of one host may share the file: they wait for each
 * other's commits.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type Libsql from 'libsql'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import type { Finding } from '#core/model/finding'
import type { StoredChunk } from '#core/protocol/handler-messages'
import type {
  FindingQuery,
  SampleQuery,
  SinkRole,
  SinkRows,
  SinkStore,
  StoredBatch,
  StoredSample,
} from '#core/protocol/sink-messages'
import { samplesOfChunk } from './chunk-samples.js'
import { sqliteFailure } from './sqlite-errors.js'
import {
  CHUNK_OF_BATCH,
  CHUNKS_OF_SERIES,
  INSERT_CHUNK,
  INSERT_CHUNK_SERIES,
  INSERT_SERIES,
  MIGRATIONS,
  SERIES_ID,
  UPSERT_FINDING,
} from './sqlite-schema.js'

export interface SqliteOptions {
  /** Created with its directory when there is none. */
  path: string
}

/** How long a commit waits for those of other processors. Milliseconds. */
const BUSY_TIMEOUT_MS = 5000
/** Pages of the write-ahead log after which it is copied into the database, which costs an fsync or two. */
const WAL_PAGES = 4000
/** Series whose row id is remembered; the map is emptied when it is full. */
const MAX_KNOWN_SERIES = 100_000

/** @throws TLM_SINK_FAILED, TLM_PACKAGE_MISSING */
export async function openSinkStore(options: unknown, role: SinkRole): Promise<SinkStore> {
  const { path } = options as SqliteOptions
  const Database = await loadLibsql()
  try {
    if (role === 'write') mkdirSync(dirname(path), { recursive: true })
    else if (!existsSync(path)) throw new TelemetryError('TLM_SINK_FAILED', `${path} does not exist yet.`, { path })
    return new SqliteSink(new Database(path), path, role)
  } catch (error) {
    throw sqliteFailure(path, error)
  }
}

async function loadLibsql(): Promise<typeof Libsql> {
  try {
    return (await import('libsql')).default
  } catch (error) {
    const message = `The package libsql cannot be loaded on this system: ${messageOf(error)}. Run "npm ci" again.`
    throw new TelemetryError('TLM_PACKAGE_MISSING', message, { package: 'libsql' }, error)
  }
}

class SqliteSink implements SinkStore {
  readonly #db: Libsql.Database
  readonly #path: string
  readonly #seriesIds = new Map<string, number>()
  readonly #upsertFinding: Libsql.Statement
  readonly #insertChunk: Libsql.Statement
  readonly #insertChunkSeries: Libsql.Statement

  constructor(db: Libsql.Database, path: string, role: SinkRole) {
    this.#db = db
    this.#path = path
    try {
      db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`)
      if (role === 'write') this.#prepareFile()
      this.#checkVersion()
      if (role === 'read') db.pragma('query_only = ON')
      this.#upsertFinding = db.prepare(UPSERT_FINDING)
      this.#insertChunk = db.prepare(INSERT_CHUNK)
      this.#insertChunkSeries = db.prepare(INSERT_CHUNK_SERIES)
    } catch (error) {
      db.close()
      throw error
    }
  }

  commit({ findings, chunks }: SinkRows): void {
    this.#transaction(() => {
      for (const finding of findings) this.#writeFinding(finding)
      for (const chunk of chunks) this.#writeChunk(chunk)
    })
  }

  findings({ handler, device, channel, batch, fromUs, toUs, limit, order }: FindingQuery): Finding[] {
    const conditions: string[] = []
    const values: unknown[] = []
    const where = (condition: string, value: unknown) => {
      if (value === undefined) return
      conditions.push(condition)
      values.push(value)
    }
    where('handler = ?', handler)
    where('device = ?', device)
    where('channel = ?', channel)
    where('batch = ?', batch)
    where('at_us >= ?', fromUs)
    where('at_us < ?', toUs)
    const direction = order === 'newest-first' ? 'DESC' : 'ASC'
    const sql = `SELECT key, revision, handler, device, channel, at_us AS atUs, batch, body FROM findings
      ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
      ORDER BY at_us ${direction}, rowid ${direction} LIMIT ?`
    return this.#guarded(() => {
      const rows = this.#db.prepare(sql).all(...values, limit) as (Omit<Finding, 'body'> & { body: string })[]
      return rows.map((row) => ({ ...row, body: JSON.parse(row.body) as Finding['body'] }))
    })
  }

  samples(query: SampleQuery): StoredSample[] {
    return this.#guarded(() => {
      const series = this.#db.prepare(SERIES_ID).get(`${query.device}/${query.channel}`) as { id: number } | undefined
      if (series === undefined) return []
      const { fromUs = 0, toUs = Number.MAX_SAFE_INTEGER } = query
      const chunks = this.#db.prepare(CHUNKS_OF_SERIES).iterate(series.id, fromUs, toUs) as IterableIterator<ChunkRow>
      return newestSamples(chunks, query)
    })
  }

  stored(batch: string): StoredBatch[] {
    return this.#guarded(() => this.#db.prepare(CHUNK_OF_BATCH).all(batch) as StoredBatch[])
  }

  close(): void {
    this.#db.close()
  }

  #prepareFile(): void {
    this.#db.pragma('journal_mode = WAL')
    this.#db.pragma('synchronous = NORMAL')
    this.#db.pragma(`wal_autocheckpoint = ${WAL_PAGES}`)
    if (this.#version() >= MIGRATIONS.length) return
    this.#transaction(() => {
      // Read again inside the transaction: another processor may have been first.
      for (const step of MIGRATIONS.slice(this.#version())) this.#db.exec(step)
      if (this.#version() < MIGRATIONS.length) this.#db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`)
    })
  }

  #checkVersion(): void {
    const version = this.#version()
    if (version === MIGRATIONS.length) return
    const fix = 'Use the TelemetryHub that wrote it or a newer one, or set sqlite.path to another file.'
    const message = `The findings database ${this.#path} has layout ${version}, this program knows ${MIGRATIONS.length}. ${fix}`
    throw new TelemetryError('TLM_SINK_FAILED', message, { path: this.#path, version })
  }

  #version(): number {
    return (this.#db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version
  }

  #writeFinding({ key, revision, handler, device, channel, atUs, batch, body }: Finding): void {
    this.#upsertFinding.run(key, revision, handler, device, channel, atUs, batch, JSON.stringify(body))
  }

  #writeChunk({ key, samples, firstTakenAtUs, lastTakenAtUs, series, body }: StoredChunk): void {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    const inserted = this.#insertChunk.run(key, samples, firstTakenAtUs, lastTakenAtUs, bytes)
    if (inserted.changes === 0) return
    for (const name of series) {
      this.#insertChunkSeries.run(this.#seriesId(name), lastTakenAtUs, Number(inserted.lastInsertRowid), firstTakenAtUs)
    }
  }

  #seriesId(name: string): number {
    const known = this.#seriesIds.get(name)
    if (known !== undefined) return known
    this.#db.prepare(INSERT_SERIES).run(name)
    const { id } = this.#db.prepare(SERIES_ID).get(name) as { id: number }
    if (this.#seriesIds.size >= MAX_KNOWN_SERIES) this.#seriesIds.clear()
    this.#seriesIds.set(name, id)
    return id
  }

  #transaction(write: () => void): void {
    this.#guarded(() => {
      this.#db.exec('BEGIN IMMEDIATE')
      try {
        write()
        this.#db.exec('COMMIT')
      } catch (error) {
        // Ids learnt in the transaction are undone with it. SQLite has rolled back by itself when the disk is full.
        this.#seriesIds.clear()
        if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
        throw error
      }
    })
  }

  #guarded<T>(step: () => T): T {
    try {
      return step()
    } catch (error) {
      throw sqliteFailure(this.#path, error)
    }
  }
}

interface ChunkRow {
  key: string
  /** libsql gives blobs so when rows are iterated. */
  body: ArrayBuffer
  firstUs: number
  lastUs: number
}

/** Reads chunks, newest end first, until no older chunk can hold one of the newest `limit` samples. */
function newestSamples(chunks: Iterable<ChunkRow>, query: SampleQuery): StoredSample[] {
  let newest: StoredSample[] = []
  for (const { key, body, lastUs } of chunks) {
    if (newest.length === query.limit && lastUs < newest[newest.length - 1].takenAtUs) break
    const found = [...newest, ...samplesOfChunk(key, new Uint8Array(body), query)]
    newest = found.sort((a, b) => b.takenAtUs - a.takenAtUs || b.sequence - a.sequence).slice(0, query.limit)
  }
  return newest
}
