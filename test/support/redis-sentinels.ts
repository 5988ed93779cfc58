import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { freePort, startRedis, type TestRedis } from './redis-server.js'
import { adminOf } from './redis-store.js'

/** What the sentinels call the primary. */
export const SENTINEL_NAME = 'telemetry'
/** A primary that does not answer for so long is replaced. Milliseconds. */
const DOWN_AFTER_MS = 500

/** A real primary, a real replica and real sentinels of the test's own, on free loopback ports. */
export interface TestSentinels {
  readonly servers: readonly TestRedis[]
  /** Addresses of the sentinels. */
  readonly addresses: { host: string; port: number }[]
  /** The server that the sentinels name as primary. */
  primary(): Promise<TestRedis>
  /** Resolves once the sentinels name another primary than this one and it serves. */
  replaced(former: TestRedis): Promise<TestRedis>
  /** Starts a former primary as a replica of the present one; sentinels would come to that only after 10 s. */
  rejoin(former: TestRedis): Promise<void>
  /** Resolves once the primary has a replica that follows it. */
  replicated(): Promise<void>
  stop(): Promise<void>
}

/** @param extra further command line options of primary and replica */
export async function startSentinels(sentinels = 3, extra: readonly string[] = []): Promise<TestSentinels> {
  const fast = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1', ...extra]
  const first = await startRedis(fast)
  const second = await startRedis([...fast, '--replicaof', `127.0.0.1 ${first.port}`])
  const servers = [first, second]
  await follows(second)
  const watchers = await Promise.all(
    Array.from({ length: sentinels }, () => startSentinel(first.port, Math.floor(sentinels / 2) + 1)),
  )
  const [{ admin }] = watchers
  const primary = async () => {
    const [, port] = (await admin.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', SENTINEL_NAME)) as [string, string]
    const server = servers.find((candidate) => candidate.port === Number(port))
    if (server === undefined) throw new Error(`The sentinels name port ${port}, which is no server of this test.`)
    return server
  }
  const stop = async () => {
    for (const watcher of watchers) await watcher.stop()
    for (const server of servers) await server.stop()
  }
  try {
    await Promise.all(watchers.map((watcher) => knowsAll(watcher.admin, sentinels)))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    servers,
    addresses: watchers.map(({ port }) => ({ host: '127.0.0.1', port })),
    primary,
    async replaced(former) {
      await poll('a failover', async () => (await primary()) !== former)
      const next = await primary()
      await poll('the new primary', async () => (await infoOf(next, 'replication')).includes('role:master'))
      return next
    },
    async rejoin(former) {
      const { port } = await primary()
      await former.restart(['--replicaof', `127.0.0.1 ${port}`])
      await follows(former)
    },
    async replicated() {
      const server = await primary()
      await poll('a replica', async () => /state=online/.test(await infoOf(server, 'replication')))
    },
    stop,
  }
}

interface Watcher {
  port: number
  admin: Redis
  stop(): Promise<void>
}

async function startSentinel(primaryPort: number, quorum: number): Promise<Watcher> {
  const directory = await mkdtemp(join(tmpdir(), 'telemetryhub-sentinel-'))
  const port = await freePort()
  const config = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${directory}`,
    `sentinel monitor ${SENTINEL_NAME} 127.0.0.1 ${primaryPort} ${quorum}`,
    `sentinel down-after-milliseconds ${SENTINEL_NAME} ${DOWN_AFTER_MS}`,
    // Tests fail over several times in a row: Redis waits twice as long between two attempts.
    `sentinel failover-timeout ${SENTINEL_NAME} 2000`,
  ]
  const file = join(directory, 'sentinel.conf')
  await writeFile(file, `${config.join('\n')}\n`)
  const child = spawn('redis-server', [file, '--sentinel'], { stdio: ['ignore', 'pipe', 'inherit'] })
  await started(child)
  const admin = await adminOf(port)
  return {
    port,
    admin,
    async stop() {
      admin.disconnect()
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`The sentinel ended with ${code} before it was ready.`)))
    child.stdout!.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('+monitor')) resolve()
    })
  })
}

/** Sentinels learn of each other and of the replica from the primary, within seconds. */
function knowsAll(admin: Redis, sentinels: number): Promise<void> {
  return poll('the sentinels', async () => {
    const flat = (await admin.call('SENTINEL', 'MASTER', SENTINEL_NAME)) as string[]
    const value = (name: string) => flat[flat.indexOf(name) + 1]
    return value('num-slaves') === '1' && value('num-other-sentinels') === String(sentinels - 1)
  })
}

async function follows(replica: TestRedis): Promise<void> {
  await poll('the replica', async () => /master_link_status:up/.test(await infoOf(replica, 'replication')))
}

async function infoOf(server: TestRedis, section: string): Promise<string> {
  const admin = await adminOf(server.port)
  try {
    return await admin.info(section)
  } finally {
    admin.disconnect()
  }
}

async function poll(what: string, isMet: () => Promise<boolean>, withinMs = 20_000): Promise<void> {
  const untilMs = performance.now() + withinMs
  while (!(await isMet().catch(() => false))) {
    if (performance.now() > untilMs) throw new Error(`Not within ${withinMs} ms: ${what}.`)
    await setTimeout(20)
  }
}
