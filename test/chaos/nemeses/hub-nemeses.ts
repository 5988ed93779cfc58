import type { Stage } from '../stage/stage.js'
import type { Nemesis, NemesisKind } from './nemesis.js'

/** Ends the hub, and starts another at the heal. */
class HubEnd implements Nemesis {
  readonly #stage: Stage
  readonly #how: 'kill' | 'stop'

  constructor(stage: Stage, how: 'kill' | 'stop') {
    this.#stage = stage
    this.#how = how
  }

  async strike(): Promise<string | undefined> {
    const { hubs } = this.#stage
    if (hubs.running === undefined) return undefined
    const name = `hub ${hubs.running.number}`
    await hubs[this.#how]()
    return name
  }

  async heal(): Promise<void> {
    await this.#stage.hubs.start()
  }
}

/** Ends the hub's drain worker, which leaves ring and journal as they are at that moment. */
class DrainWorkerKill implements Nemesis {
  readonly #stage: Stage

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async strike(): Promise<string | undefined> {
    const hub = this.#stage.hubs.running
    if (hub === undefined) return undefined
    // See inside/preload: the hub's main thread terminates its drain workers.
    process.kill(hub.program.pid, 'SIGUSR2')
    return `drain worker of hub ${hub.number}`
  }

  async heal(): Promise<void> {}
}

export const HUB_NEMESES: readonly NemesisKind[] = [
  {
    name: 'hub-kill',
    summary: 'SIGKILL of the hub',
    victim: 'hub',
    perTenMinutes: 7,
    holdMs: [100, 1500],
    create: (stage) => new HubEnd(stage, 'kill'),
  },
  {
    name: 'hub-restart',
    summary: 'SIGTERM of the hub, then another',
    victim: 'hub',
    perTenMinutes: 4,
    holdMs: [100, 1000],
    create: (stage) => new HubEnd(stage, 'stop'),
  },
  {
    name: 'drain-kill',
    summary: 'the hub’s drain worker is terminated',
    victim: 'hub',
    perTenMinutes: 15,
    holdMs: [0, 0],
    create: (stage) => new DrainWorkerKill(stage),
  },
]
