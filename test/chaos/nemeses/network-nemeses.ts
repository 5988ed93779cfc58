import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '#src/hub/drivers/sim/random'
import type { TcpProxy } from '#test/support/tcp-proxy'
import { LEASE_MS, type Stage } from '../stage/stage.js'
import type { Nemesis, NemesisKind } from './nemesis.js'

type Side = 'hub' | 'processor'

function networkOf(stage: Stage, side: Side): TcpProxy {
  return side === 'hub' ? stage.hubNetwork : stage.processorNetwork
}

/** Cuts every connection at once. */
class Cut implements Nemesis {
  readonly #network: TcpProxy

  constructor(network: TcpProxy) {
    this.#network = network
  }

  async strike(): Promise<string> {
    this.#network.cut()
    return 'all connections'
  }

  async heal(): Promise<void> {}
}

/** Requests arrive, their replies do not, and then the connections are cut: nobody knows what was applied. */
class LostReplies implements Nemesis {
  readonly #network: TcpProxy

  constructor(network: TcpProxy) {
    this.#network = network
  }

  async strike(random: Random): Promise<string> {
    this.#network.dropReplies()
    await pause(20 + random.next() * 200)
    this.#network.cut()
    return 'replies under way'
  }

  async heal(): Promise<void> {}
}

/** Half-open sockets: connections stay open and carry nothing, new ones too. */
class BlackHole implements Nemesis {
  readonly #network: TcpProxy

  constructor(network: TcpProxy) {
    this.#network = network
  }

  async strike(): Promise<string> {
    this.#network.beginBlackHole()
    return 'all connections'
  }

  async heal(): Promise<void> {
    this.#network.endBlackHole()
  }
}

/** Round trips up to a third of a lease. */
class Delay implements Nemesis {
  readonly #network: TcpProxy

  constructor(network: TcpProxy) {
    this.#network = network
  }

  async strike(random: Random): Promise<string> {
    const delayMs = Math.round(10 + (random.next() * LEASE_MS) / 8)
    this.#network.setWeather({ delayMs, jitterMs: delayMs / 4 })
    return `${delayMs} ms each way`
  }

  async heal(): Promise<void> {
    this.#network.setWeather()
  }
}

/** A few kilobytes a second, in pieces of some dozen bytes. */
class Dribble implements Nemesis {
  readonly #network: TcpProxy

  constructor(network: TcpProxy) {
    this.#network = network
  }

  async strike(random: Random): Promise<string> {
    const bytesPerSecond = Math.round(1000 + random.next() * 15_000)
    this.#network.setWeather({ bytesPerSecond })
    return `${bytesPerSecond} bytes/s`
  }

  async heal(): Promise<void> {
    this.#network.setWeather()
  }
}

/** Each for the hub's connections and for the processors'. */
export const NETWORK_NEMESES: readonly NemesisKind[] = (['hub', 'processor'] as const).flatMap(
  (side): NemesisKind[] => {
    const victim = `${side}-network` as const
    const of = side === 'hub' ? 'the hub' : 'the processors'
    return [
      {
        name: `${side}-cut`,
        summary: `all connections of ${of} are cut`,
        victim,
        perTenMinutes: 25,
        holdMs: [0, 0],
        create: (stage) => new Cut(networkOf(stage, side)),
      },
      {
        name: `${side}-lost-replies`,
        summary: `${of}: requests arrive, replies do not, then a cut`,
        victim,
        perTenMinutes: 10,
        holdMs: [0, 0],
        create: (stage) => new LostReplies(networkOf(stage, side)),
      },
      {
        name: `${side}-black-hole`,
        summary: `connections of ${of} stay open and carry nothing`,
        victim,
        perTenMinutes: 4,
        holdMs: [500, 4000],
        create: (stage) => new BlackHole(networkOf(stage, side)),
      },
      {
        name: `${side}-delay`,
        summary: `${of}: latency with jitter, up to a third of a lease a round trip`,
        victim,
        perTenMinutes: 4,
        holdMs: [1000, 5000],
        create: (stage) => new Delay(networkOf(stage, side)),
      },
      {
        name: `${side}-dribble`,
        summary: `${of}: 1 to 16 KB a second, in small pieces`,
        victim,
        perTenMinutes: 4,
        holdMs: [1000, 5000],
        create: (stage) => new Dribble(networkOf(stage, side)),
      },
    ]
  },
)
