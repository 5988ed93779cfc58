import type { Stage } from '../stage/stage.js'
import type { Nemesis, NemesisKind } from './nemesis.js'

/** SIGKILL of Redis; the heal starts it again on its append-only file. */
class RedisKill implements Nemesis {
  readonly #stage: Stage

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async strike(): Promise<string> {
    await this.#stage.redis.kill()
    this.#stage.tasks.redisKilled()
    return 'redis'
  }

  async heal(): Promise<void> {
    await this.#stage.redis.restart()
  }
}

/** SIGSTOP of Redis: sockets stay open and nobody answers. */
class RedisFreeze implements Nemesis {
  readonly #stage: Stage

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async strike(): Promise<string> {
    process.kill(this.#stage.redis.pid, 'SIGSTOP')
    return 'redis'
  }

  async heal(): Promise<void> {
    process.kill(this.#stage.redis.pid, 'SIGCONT')
  }
}

const KILL_EVERY_MS = 200

/** Kills every client's connection again and again, from Redis' side. */
class ClientKill implements Nemesis {
  readonly #stage: Stage
  #timer: NodeJS.Timeout | undefined
  #end = async () => {}

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async strike(): Promise<string> {
    const admin = await this.#stage.admin()
    const kill = () => void admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').catch(() => {})
    kill()
    this.#timer = setInterval(kill, KILL_EVERY_MS)
    this.#end = async () => admin.disconnect()
    return 'all clients'
  }

  async heal(): Promise<void> {
    clearInterval(this.#timer)
    await this.#end()
  }
}

/** Everything in Redis is gone at once, as after a mistaken command. */
class FlushAll implements Nemesis {
  readonly #stage: Stage

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async strike(): Promise<string> {
    const admin = await this.#stage.admin()
    await admin.flushall()
    admin.disconnect()
    return 'redis'
  }

  async heal(): Promise<void> {}
}

export const REDIS_NEMESES: readonly NemesisKind[] = [
  {
    name: 'redis-kill',
    summary: 'SIGKILL of Redis (append-only file, everysec), then a restart',
    victim: 'redis',
    perTenMinutes: 12,
    holdMs: [200, 4000],
    create: (stage) => new RedisKill(stage),
  },
  {
    name: 'redis-freeze',
    summary: 'SIGSTOP of Redis, then SIGCONT',
    victim: 'redis',
    perTenMinutes: 4,
    holdMs: [500, 4000],
    create: (stage) => new RedisFreeze(stage),
  },
  {
    name: 'client-kill',
    summary: `CLIENT KILL TYPE normal every ${KILL_EVERY_MS} ms`,
    victim: 'redis',
    perTenMinutes: 8,
    holdMs: [500, 3000],
    create: (stage) => new ClientKill(stage),
  },
  {
    name: 'flush-all',
    summary: 'FLUSHALL, as after a mistaken command (--parts flush)',
    victim: 'redis',
    perTenMinutes: 60,
    holdMs: [0, 0],
    isOptional: true,
    create: (stage) => new FlushAll(stage),
  },
]
