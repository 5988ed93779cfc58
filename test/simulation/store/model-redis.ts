import type { Timeline } from '../engine/timeline.js'
import { EPOCH_MS } from '../engine/virtual-globals.js'
import { type ModelScript, scriptOf } from './model-scripts.js'
import { ModelShard } from './model-shard.js'
import { formatId } from './model-stream.js'
import { type Argument, numberOf, ServerError, type StoreFlaw, type StoreWatcher, textOf } from './script-call.js'

/** A command as it arrives. */
export interface ServerRequest {
  readonly command: string
  readonly args: readonly Argument[]
  /** Whether the server still takes the connection for open. */
  isConnected(): boolean
  reply(value: unknown): void
}

interface BlockedRead {
  readonly request: ServerRequest
  readonly shardNumber: number
  readonly read: ReadCommand
  isOver: boolean
}

interface ReadCommand {
  group: string
  count: number
  blockMs: number
  /** As they were named. */
  keys: readonly string[]
}

/** What the server has on its disk. */
interface Snapshot {
  readonly atMs: number
  readonly shards: readonly ModelShard[]
  readonly members: Map<string, number>
  readonly memory: unknown
}

const PRIORITIES = ['high', 'normal', 'low']

/**
 * A Redis as the batch stream uses it: one command after the other, each whole. It can be restarted, and it can come back
 * with what it had some time ago, as after a fail-over.
 */
export class ModelRedis {
  shards: ModelShard[]
  /** Changes with every start, and so does the memory of scripts. */
  run = 1
  isUp = true
  readonly flaws: ReadonlySet<StoreFlaw>
  readonly #timeline: Timeline
  readonly #watcher: StoreWatcher
  #members = new Map<string, number>()
  readonly #meta = new Map<string, string>()
  readonly #scripts = new Set<string>()
  #blocked: BlockedRead[] = []
  #snapshots: Snapshot[] = []

  constructor(timeline: Timeline, watcher: StoreWatcher, shards: number, flaws: ReadonlySet<StoreFlaw>) {
    this.#timeline = timeline
    this.#watcher = watcher
    this.flaws = flaws
    this.shards = Array.from({ length: shards }, () => new ModelShard())
  }

  /** Milliseconds, whole, by the server's clock. */
  get nowMs(): number {
    return EPOCH_MS + Math.floor(this.#timeline.nowMs)
  }

  execute(request: ServerRequest): void {
    if (request.command === 'XREADGROUP') this.#readGroup(request)
    else request.reply(this.#answer(request.command, request.args))
  }

  /** All scripts are forgotten. */
  flushScripts(): void {
    this.#scripts.clear()
  }

  /** Keeps what there is now; the latest few are kept. */
  takeSnapshot(): void {
    const shards = this.shards.map((shard) => shard.copy())
    const memory = this.#watcher.remember()
    this.#snapshots.push({ atMs: this.#timeline.nowMs, shards, members: new Map(this.#members), memory })
    if (this.#snapshots.length > 3) this.#snapshots.shift()
  }

  /** Connections are cut by the network. @param goesBack to the oldest snapshot, if there is one */
  restart(goesBack: boolean): void {
    this.run++
    this.flushScripts()
    this.#blocked = []
    const [snapshot] = this.#snapshots
    if (!goesBack || snapshot === undefined) return
    this.shards = snapshot.shards.map((shard) => shard.copy())
    this.#members = new Map(snapshot.members)
    // What came later is another future.
    this.#snapshots = [snapshot]
    this.#watcher.wentBackTo(snapshot.memory)
  }

  #answer(command: string, args: readonly Argument[]): unknown {
    switch (command) {
      case 'EVALSHA':
      case 'EVAL':
        return this.#eval(command, args)
      case 'HGETALL': {
        const { state } = this.#shardOf(textOf(args[0])).shard
        return [...state].flatMap(([row, value]) => [Buffer.from(row), value])
      }
      case 'SCRIPT':
        this.#scripts.add(scriptOf(textOf(args[1])).sha)
        return 'OK'
      case 'INFO':
        return `redis_version:7.0.15\r\nrun_id:run-${this.run}\r\nmaxmemory_policy:noeviction`
      case 'HMGET':
        return args.slice(1).map((name) => this.#meta.get(textOf(name)) ?? null)
      case 'HSETNX':
        if (!this.#meta.has(textOf(args[1]))) this.#meta.set(textOf(args[1]), textOf(args[2]))
        return 1
      case 'ZREM':
        return this.#members.delete(textOf(args[1])) ? 1 : 0
      default:
        throw new Error(`test/simulation/store has no model of ${command}.`)
    }
  }

  #eval(command: string, args: readonly Argument[]): unknown {
    const script = scriptOf(textOf(args[0]))
    if (command === 'EVAL') this.#scripts.add(script.sha)
    else if (!this.#scripts.has(script.sha)) return new ServerError('NOSCRIPT No matching script. Please use EVAL.')
    const keys = numberOf(args[1])
    const rest = args.slice(2 + keys)
    if (script.name === 'beat') return this.#beat(rest)
    // Everything is allowed.
    if (script.name === 'rights') return []
    return this.#runScript(script, textOf(args[2]), rest)
  }

  #runScript({ run }: ModelScript, key: string, args: readonly Argument[]): unknown {
    const { shard, shardNumber } = this.#shardOf(key)
    return run?.({
      shard,
      shardNumber,
      nowMs: this.nowMs,
      args,
      flaws: this.flaws,
      watcher: this.#watcher,
      groupsGone: () => this.#serveBlocked(shardNumber),
      entriesAdded: () => this.#serveBlocked(shardNumber),
    })
  }

  #beat([holder, memberMs]: readonly Argument[]): Buffer[] {
    const { nowMs } = this
    this.#members.set(textOf(holder), nowMs + numberOf(memberMs))
    for (const [member, untilMs] of this.#members) if (untilMs <= nowMs) this.#members.delete(member)
    return [...this.#members.keys()].map((member) => Buffer.from(member))
  }

  #readGroup(request: ServerRequest): void {
    const read = readCommand(request.args)
    const { shardNumber } = this.#shardOf(read.keys[0])
    const reply = this.#read(shardNumber, read)
    if (reply !== null || read.blockMs <= 0) {
      request.reply(reply)
      return
    }
    const blocked: BlockedRead = { request, shardNumber, read, isOver: false }
    this.#blocked.push(blocked)
    this.#timeline.at(read.blockMs, undefined, 'read times out', () => {
      if (blocked.isOver || !this.#blocked.includes(blocked)) return
      this.#end(blocked, null)
    })
  }

  /** After entries were added or groups destroyed. What a read takes is lost when its client is gone. */
  #serveBlocked(shardNumber: number): void {
    for (const blocked of [...this.#blocked]) {
      if (blocked.shardNumber !== shardNumber || blocked.isOver) continue
      if (!blocked.request.isConnected()) {
        this.#end(blocked, undefined)
        continue
      }
      const reply = this.#read(shardNumber, blocked.read)
      if (reply !== null) this.#end(blocked, reply)
    }
  }

  #end(blocked: BlockedRead, reply: unknown): void {
    blocked.isOver = true
    this.#blocked = this.#blocked.filter((other) => other !== blocked)
    if (reply !== undefined) blocked.request.reply(reply)
  }

  /** @returns `null` when there is nothing to read */
  #read(shardNumber: number, { group, count, keys }: ReadCommand): unknown {
    const shard = this.shards[shardNumber]
    const reply: unknown[] = []
    for (const key of keys) {
      const stream = shard.streams[PRIORITIES.indexOf(key.slice(key.lastIndexOf(':') + 1))]
      const known = stream.groups.get(group)
      if (known === undefined) return new ServerError(`NOGROUP No such key or consumer group '${group}'`)
      const entries = stream.read(known, count)
      if (entries.length > 0) {
        reply.push([Buffer.from(key), entries.map(({ id, fields }) => [Buffer.from(formatId(id)), fields])])
      }
    }
    return reply.length === 0 ? null : reply
  }

  /** `{queue:shard}:key` */
  #shardOf(key: string): { shard: ModelShard; shardNumber: number } {
    const shardNumber = Number(key.slice(key.lastIndexOf(':', key.indexOf('}')) + 1, key.indexOf('}')))
    const shard = this.shards[shardNumber]
    if (shard === undefined) throw new Error(`The key ${key} is of no shard.`)
    return { shard, shardNumber }
  }
}

/** `GROUP g consumer COUNT n [BLOCK ms] STREAMS key... >...` */
function readCommand(args: readonly Argument[]): ReadCommand {
  const isBlocking = args[5] === 'BLOCK'
  const named = args.slice(isBlocking ? 8 : 6)
  return {
    group: textOf(args[1]),
    count: numberOf(args[4]),
    blockMs: isBlocking ? numberOf(args[6]) : 0,
    keys: named.slice(0, named.length / 2).map(textOf),
  }
}
