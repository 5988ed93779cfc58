import type { Redis } from 'ioredis'
import { BatchDecoder } from '#core/codec/batch-codec'
import { shardKeys } from '#core/transport/redis/keyspace'
import type { NumberedSample } from '../oracle/evidence.js'

export const QUEUE = 'telemetry:tasks'

/** What a queue at rest still holds, by name; all 0 when everything was settled. */
export async function readLeftovers(admin: Redis, shards: number): Promise<Map<string, number>> {
  const leftovers = new Map([
    ['entries', 0],
    ['delayed entries', 0],
    ['held entries', 0],
    ['samples counted as waiting', 0],
    ['bytes counted as waiting', 0],
  ])
  const add = (name: string, count: number) => leftovers.set(name, (leftovers.get(name) ?? 0) + count)
  for (let shard = 0; shard < shards; shard++) {
    const { streams, delayed, held, counters } = shardKeys(QUEUE, shard)
    for (const stream of streams) add('entries', await admin.xlen(stream))
    add('delayed entries', await admin.zcard(delayed))
    add('held entries', await admin.hlen(held))
    const [samples, bytes] = await admin.hmget(counters, 'samples', 'bytes')
    add('samples counted as waiting', Number(samples ?? 0))
    add('bytes counted as waiting', Number(bytes ?? 0))
  }
  return leftovers
}

/** The samples of all dead letters. */
export async function readDeadLetters(admin: Redis, shards: number): Promise<(NumberedSample & { class: string })[]> {
  const decoder = new BatchDecoder()
  const samples: (NumberedSample & { class: string })[] = []
  for (let shard = 0; shard < shards; shard++) {
    for (const [, fields] of await admin.xrangeBuffer(shardKeys(QUEUE, shard).dead, '-', '+')) {
      const named = new Map<string, Buffer>()
      for (let i = 0; i + 1 < fields.length; i += 2) named.set(fields[i].toString(), fields[i + 1])
      const { series, seriesIndex, values, count } = decoder.decode(Uint8Array.from(named.get('b') ?? []))
      for (let row = 0; row < count; row++) {
        const { device } = series[seriesIndex[row]]
        samples.push({ device, number: values[row], class: named.get('x')?.toString() ?? '' })
      }
    }
  }
  return samples
}
