import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Finding } from '#core/model/finding'
import { packFindings } from '#core/protocol/packed-findings'
import { createLogger } from '#src/host/logger'
import { SinkReader } from '#src/processor/sinks/sink-reader'
import { SinkThread } from '#src/processor/sinks/sink-thread'
import type { SinkWrite } from '#src/processor/sinks/write-group'

const log = createLogger({ name: 'test', level: 'silent' })
const moduleUrl = import.meta.resolve('#src/processor/sinks/sqlite-sink')

let directory: string
let opened: { close(deadlineMs: number): Promise<void> }[]
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'telemetryhub-sink-'))
  opened = []
})
afterEach(async () => {
  await Promise.all(opened.map((sink) => sink.close(2000)))
  await rm(directory, { recursive: true, force: true })
})

function open(path = join(directory, 'findings.db')): { sink: SinkThread; reader: SinkReader } {
  const sink = new SinkThread({ moduleUrl, options: { path } }, log)
  const reader = new SinkReader({ moduleUrl, options: { path } })
  opened.push(sink, reader)
  return { sink, reader }
}

function finding(key: string, revision: number, fields: Partial<Finding> = {}): Finding {
  const base = { handler: 'telemetry.analyze', device: 'roof', channel: 'temperature', atUs: 1_700_000_000_000_000 }
  return { key, revision, batch: 'hub-1.1.0.1', body: { revision }, ...base, ...fields }
}

function rowsOf(...findings: Finding[]): SinkWrite {
  return { findings: packFindings(findings), chunks: [] }
}

const NEWEST = { limit: 10, order: 'newest-first' } as const

describe('the SQLite sink in its thread', () => {
  it('keeps of each key the finding with the highest revision, whatever the order and however often', async () => {
    const { sink, reader } = open()
    await sink.write(rowsOf(finding('a', 2), finding('b', 1)))
    await sink.write(rowsOf(finding('a', 1)))
    await sink.write(rowsOf(finding('a', 2, { body: { again: true } })))
    await sink.write(rowsOf(finding('a', 1)))
    const found = await reader.findings(NEWEST)
    assert.deepEqual(
      new Map(found.map(({ key, body }) => [key, body])),
      new Map([
        ['a', { again: true } as Finding['body']],
        ['b', { revision: 1 }],
      ]),
    )
  })

  it('commits writes that come while a commit is under way together', async () => {
    const { sink, reader } = open()
    await sink.write(rowsOf(finding('first', 1)))
    const before = sink.counters.commits
    await Promise.all(Array.from({ length: 500 }, (_, i) => sink.write(rowsOf(finding(`k${i % 50}`, i)))))
    assert.ok(sink.counters.commits - before <= 3, `${sink.counters.commits - before} commits`)
    const found = await reader.findings({ ...NEWEST, limit: 100 })
    assert.equal(found.length, 51)
    assert.equal(found.find(({ key }) => key === 'k49')?.revision, 499)
    assert.equal(sink.counters.queuedBytes, 0)
  })

  it('answers by handler, device, channel and time, newest or oldest first', async () => {
    const { sink, reader } = open()
    const findings = ['a', 'b'].flatMap((device) =>
      [1, 2, 3, 4].map((second) => finding(`${device}/${second}`, 1, { device, atUs: second * 1e6 })),
    )
    await sink.write(rowsOf(...findings, finding('alert', 1, { handler: 'telemetry.alert' })))
    const keys = async (query: Partial<Parameters<SinkReader['findings']>[0]>) =>
      (await reader.findings({ ...NEWEST, ...query })).map(({ key }) => key)
    assert.deepEqual(await keys({ device: 'a', fromUs: 2e6, toUs: 4e6 }), ['a/3', 'a/2'])
    assert.deepEqual(await keys({ device: 'a', order: 'oldest-first', limit: 2 }), ['a/1', 'a/2'])
    assert.deepEqual(await keys({ handler: 'telemetry.alert' }), ['alert'])
    assert.deepEqual(await keys({ channel: 'humidity' }), [])
    const [whole] = await reader.findings({ ...NEWEST, device: 'b', limit: 1 })
    assert.deepEqual(whole, findings.at(-1))
  })

  it('shares its file with the sinks of other processors', async () => {
    const a = open()
    const b = open()
    const writes = [a, b].flatMap(({ sink }, who) =>
      Array.from({ length: 200 }, (_, i) => sink.write(rowsOf(finding(`${who}/${i}`, 1)))),
    )
    await Promise.all(writes)
    assert.equal((await a.reader.findings({ ...NEWEST, limit: 1000 })).length, 400)
  })
})

describe('a findings file', () => {
  it('that is none is reported with its path and a remedy, and used once it is mended', async () => {
    const path = join(directory, 'findings.db')
    await writeFile(path, 'this is a text and not a database '.repeat(100))
    const { sink, reader } = open(path)
    const write = sink.write(rowsOf(finding('a', 1)))
    await untilFailing(sink)
    assert.match(sink.failure!.message, /findings\.db is no SQLite database\. Move the file aside/)
    assert.equal(sink.failure!.code, 'TLM_SINK_FAILED')
    assert.ok(sink.counters.failedCommits >= 1)
    await rm(path)
    await write
    assert.equal(sink.failure, undefined)
    assert.equal((await reader.findings(NEWEST)).length, 1)
  })

  it('of a newer layout is refused, not changed', async () => {
    const path = join(directory, 'findings.db')
    const first = open(path)
    await first.sink.write(rowsOf(finding('a', 1)))
    await first.sink.close(1000)
    const { default: Database } = await import('libsql')
    const db = new Database(path)
    db.exec('PRAGMA user_version = 7')
    db.close()
    const { sink, reader } = open(path)
    await untilFailing(sink)
    assert.match(sink.failure!.message, /has layout 7, this program knows 1\. Use the TelemetryHub that wrote it/)
    await assert.rejects(reader.findings(NEWEST), { code: 'TLM_SINK_FAILED' })
  })

  it('in a directory that cannot be made holds up writes until it can', async () => {
    const place = join(directory, 'place')
    await writeFile(place, 'a file where the directory should be')
    const { sink } = open(join(place, 'findings.db'))
    const write = sink.write(rowsOf(finding('a', 1)))
    await untilFailing(sink)
    await rm(place)
    await mkdir(place)
    await chmod(place, 0o755)
    await write
  })

  it('loses nothing that was written when the process of another sink is killed', async () => {
    const path = join(directory, 'findings.db')
    const { sink, reader } = open(path)
    await sink.write(rowsOf(finding('mine', 1)))
    const { spawnSync } = await import('node:child_process')
    const script = `
      import Database from 'libsql'
      const db = new Database(${JSON.stringify(path)})
      db.exec('BEGIN IMMEDIATE')
      db.exec("UPDATE findings SET revision = 99")
      process.kill(process.pid, 'SIGKILL')`
    assert.equal(spawnSync(process.execPath, ['--input-type=module', '-e', script]).signal, 'SIGKILL')
    await sink.write(rowsOf(finding('mine', 2)))
    const [found] = await reader.findings(NEWEST)
    assert.equal(found.revision, 2)
  })
})

describe('a sink that is closed', () => {
  it('rejects what it cannot finish, so that it is made again', async () => {
    const path = join(directory, 'findings.db')
    await writeFile(path, 'no database '.repeat(100))
    const { sink } = open(path)
    const write = sink.write(rowsOf(finding('a', 1)))
    const rejected = assert.rejects(write, { code: 'TLM_SINK_FAILED' })
    await untilFailing(sink)
    await sink.close(50)
    await rejected
    await assert.rejects(sink.write(rowsOf(finding('b', 1))), { code: 'TLM_SINK_FAILED' })
  })
})

async function untilFailing(sink: SinkThread): Promise<void> {
  while (sink.failure === undefined) await new Promise((resolve) => setImmediate(resolve))
}
