/** The findings database's layout and its versions, see {@link MIGRATIONS}. */

/**
 * `user_version` counts the steps applied. Steps are never changed once released; a new layout is a new step, so that any
 * older file can be brought up to date, and a newer one is recognised.
 *
 * A chunk is found through `chunk_series`: its rows are clustered by series and time, so reading one series of a time
 * range touches the chunks that hold it and no others.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE findings (
     key TEXT PRIMARY KEY, revision INTEGER NOT NULL, handler TEXT NOT NULL, device TEXT NOT NULL,
     channel TEXT NOT NULL, at_us INTEGER NOT NULL, batch TEXT NOT NULL, body TEXT NOT NULL);
   CREATE INDEX findings_by_time ON findings (at_us);
   CREATE INDEX findings_by_series ON findings (device, channel, at_us);
   CREATE INDEX findings_by_handler ON findings (handler, device, channel, at_us);
   CREATE TABLE chunks (
     id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, samples INTEGER NOT NULL,
     first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, body BLOB NOT NULL);
   CREATE TABLE series (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
   CREATE TABLE chunk_series (
     series INTEGER NOT NULL, last_us INTEGER NOT NULL, chunk INTEGER NOT NULL, first_us INTEGER NOT NULL,
     PRIMARY KEY (series, last_us, chunk)) WITHOUT ROWID;`,
]

export const UPSERT_FINDING = `
  INSERT INTO findings (key, revision, handler, device, channel, at_us, batch, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (key) DO UPDATE SET
    revision = excluded.revision, handler = excluded.handler, device = excluded.device, channel = excluded.channel,
    at_us = excluded.at_us, batch = excluded.batch, body = excluded.body
  WHERE excluded.revision >= findings.revision`

export const INSERT_CHUNK = `
  INSERT INTO chunks (key, samples, first_us, last_us, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`

export const INSERT_CHUNK_SERIES = `
  INSERT INTO chunk_series (series, last_us, chunk, first_us) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`

export const INSERT_SERIES = 'INSERT INTO series (name) VALUES (?) ON CONFLICT (name) DO NOTHING'

export const CHUNK_OF_BATCH =
  'SELECT key AS batch, samples, first_us AS firstTakenAtUs, last_us AS lastTakenAtUs FROM chunks WHERE key = ?'

export const SERIES_ID = 'SELECT id FROM series WHERE name = ?'

/** Newest chunks first; a chunk overlaps [from, to) when it ends at or after `from` and begins before `to`. */
export const CHUNKS_OF_SERIES = `
  SELECT chunks.key, chunks.body, chunk_series.first_us AS firstUs, chunk_series.last_us AS lastUs
  FROM chunk_series JOIN chunks ON chunks.id = chunk_series.chunk
  WHERE chunk_series.series = ? AND chunk_series.last_us >= ? AND chunk_series.first_us < ?
  ORDER BY chunk_series.last_us DESC`
