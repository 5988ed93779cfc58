import type { Redis } from 'ioredis'
import { BatchDecoder } from '#core/codec/batch-codec'
import { inboxKeys, shardKeys } from '#core/transport/redis/keyspace'
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
    ['pushed tasks', 0],
  ])
  const add = (name: string, count: number) => leftovers.set(name, (leftovers.get(name) ?? 0) + count)
  for (let shard = 0; shard < shards; shard++) {
    const { streams, delayed, held, counters } = shardKeys(`${QUEUE}:${shard}`)
    for (const stream of streams) add('entries', await admin.xlen(stream))
    add('delayed entries', await admin.zcard(delayed))
    add('held entries', await admin.hlen(held))
    const [samples, bytes] = await admin.hmget(counters, 'samples', 'bytes')
    add('samples counted as waiting', Number(samples ?? 0))
    add('bytes counted as waiting', Number(bytes ?? 0))
  }
  const { list, arrived, taken } = inboxKeys(QUEUE)
  add('pushed tasks', (await admin.llen(list)) + (await admin.llen(arrived)) + (await admin.xlen(taken)))
  return leftovers
}

/** The samples of all dead letters. */
export async function readDeadLetters(admin: Redis, shards: number): Promise<(NumberedSample & { class: string })[]> {
  const decoder = new BatchDecoder()
  const samples: (NumberedSample & { class: string })[] = []
  for (let shard = 0; shard < shards; shard++) {
    const { dead } = shardKeys(`${QUEUE}:${shard}`)
    for (const [id, fields] of await admin.xrangeBuffer(dead, '-', '+')) {
      const named = new Map<string, Buffer>()
      for (let i = 0; i + 1 < fields.length; i += 2) named.set(fields[i].toString(), fields[i + 1])
      // A store may keep the bodies apart from the letters.
      const body = named.get('b') ?? (await admin.hgetBuffer(`${dead}-bodies`, id.toString()))
      const { series, seriesIndex, values, count } = decoder.decode(Uint8Array.from(body ?? []))
      for (let row = 0; row < count; row++) {
        const { device } = series[seriesIndex[row]]
        samples.push({ device, number: values[row], class: named.get('x')?.toString() ?? '' })
      }
    }
  }
  return samples
}
