import { type Fields, ModelStream } from './model-stream.js'

export interface ModelOwner {
  holder: string
  claim: string
  token: number
  untilMs: number
  settled: number
  group: number
}

/** All keys of one shard: `docs/redis.md`, "Keys". */
export class ModelShard {
  owner: ModelOwner = { holder: '', claim: '', token: 0, untilMs: 0, settled: 0, group: 0 }
  /** By priority. */
  streams = [new ModelStream(), new ModelStream(), new ModelStream()]
  highWater = new Map<string, number>()
  /** `priority:id` to when it is due. */
  delayed = new Map<string, number>()
  held = new Map<string, Fields>()
  dead: Fields[] = []
  deliveries = new Map<string, number>()
  state = new Map<string, Buffer>()
  samples = 0
  bytes = 0

  /** Entries that are not settled. */
  get unsettled(): number {
    return this.streams.reduce((sum, { entries }) => sum + entries.length, this.delayed.size)
  }

  /** When the first delayed entry is due; `undefined`: none is delayed. */
  get dueAtMs(): number | undefined {
    return this.delayed.size === 0 ? undefined : Math.min(...this.delayed.values())
  }

  copy(): ModelShard {
    const copy = new ModelShard()
    copy.owner = { ...this.owner }
    copy.streams = this.streams.map((stream) => stream.copy())
    copy.highWater = new Map(this.highWater)
    copy.delayed = new Map(this.delayed)
    copy.held = new Map(this.held)
    copy.dead = [...this.dead]
    copy.deliveries = new Map(this.deliveries)
    copy.state = new Map(this.state)
    copy.samples = this.samples
    copy.bytes = this.bytes
    return copy
  }
}
