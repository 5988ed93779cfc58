import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A real redis-server of the test's own, on a free loopback port with a directory of its own. */
export interface TestRedis {
  readonly port: number
  readonly pid: number
  /** SIGKILL, as a crash would; the data directory stays. */
  kill(): Promise<void>
  /** Starts again on the same port and data. @param more options than at first */
  restart(more?: readonly string[]): Promise<void>
  /** SIGSTOP: it keeps its connections and does nothing, until `resume`. */
  freeze(): void
  resume(): void
  /** Ends it and removes its data. */
  stop(): Promise<void>
}

/**
 * @param extra further command line options, e.g. `['--maxmemory-policy', 'allkeys-lru']`
 * @param wantedPort one that is known to be free
 */
export async function startRedis(extra: readonly string[] = [], wantedPort?: number): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'telemetryhub-redis-'))
  const port = wantedPort ?? (await freePort())
  let child = await launch(dir, port, extra)
  return {
    port,
    get pid() {
      return child.pid!
    },
    kill: () => end(child, 'SIGKILL'),
    async restart(more = []) {
      await end(child, 'SIGKILL')
      child = await launch(dir, port, [...extra, ...more])
    },
    freeze: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async stop() {
      await end(child, 'SIGKILL')
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('No port in the address of a TCP server.')
  return address.port
}

async function launch(dir: string, port: number, extra: readonly string[]): Promise<ChildProcess> {
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '']
  const durable = [
    '--appendonly',
    'yes',
    '--appendfsync',
    'everysec',
    '--maxmemory',
    '512mb',
    '--maxmemory-policy',
    'noeviction',
  ]
  const child = spawn('redis-server', [...options, ...durable, ...extra], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`redis-server ended with ${code} before it was ready.`)))
    let seen = ''
    child.stdout!.on('data', (chunk: Buffer) => {
      if (seen.includes('Ready to accept connections')) return
      seen += chunk.toString()
      if (seen.includes('Ready to accept connections')) resolve()
    })
  })
  child.removeAllListeners('exit')
  return child
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}
