import type { Redis } from 'ioredis'
import { toPortableError } from '../../../errors/telemetry-error.js'
import { CommandRouter } from '../command-router.js'
import type { TagScheme } from '../hash-slot.js'
import { inboxKeys, keysOfShards, queueKeys } from '../keyspace.js'
import { describeTarget, newIoredisClient } from '../redis-connection.js'
import { RedisLink } from '../redis-link.js'
import type { RedisNode, RedisTopology } from '../redis-node.js'
import { type RedisStreamOptions, readRedisStreamOptions } from '../redis-options.js'
import { findTopology } from '../redis-topology.js'
import { judgeQueue } from '../store-check.js'
import { rungOf } from './capabilities.js'
import type { Diagnosis, Judgement } from './diagnosis.js'
import { missingRights, type Role } from './rights.js'
import { allowed, configOf, gatherFacts } from './server-facts.js'
import { judgeClock, judgeReplicas, judgeRights, judgeSafety, judgeSettings, productOf } from './server-rules.js'

/**
 * Looks once at everything that decides whether a Redis, or every master of a cluster, is fit for the queue. Changes
 * nothing, and opens connections of its own.
 *
 * @param options `RedisStreamOptions`
 * @param roles what the program does with the queue: rights for anything else are not asked for
 * @returns what it found; a server that cannot be reached is a `refuse` of the check `reach`, not an error
 * @throws TLM_OPTIONS_INVALID
 */
export async function examineRedis(options: unknown, roles: readonly Role[]): Promise<Diagnosis[]> {
  const redis = readRedisStreamOptions(options)
  let topology: RedisTopology | undefined
  let nodes: readonly RedisNode[]
  try {
    topology = await findTopology(redis, newIoredisClient)
    nodes = await topology.masters()
  } catch (error) {
    return [unreachable(topology?.where ?? describeTarget(redis), error)]
  }
  const servers = await Promise.all(nodes.map((node) => examineServer(redis, node)))
  // A program that only pushes to the list has nothing to do with the queue's keys.
  return roles.length === 0 ? servers.flat() : [...servers.flat(), ...(await examineQueue(redis, topology, roles))]
}

async function examineServer(redis: RedisStreamOptions, { target }: RedisNode): Promise<Diagnosis[]> {
  const route = { kind: 'single', target: () => target, onFailure: () => {} } as const
  const link = new RedisLink(redis, route, 'doctor', redis.commandTimeoutMs)
  try {
    const judgements = await link.call((client) => judgeServer(client, redis))
    return judgements.map((judgement) => ({ where: link.where, ...judgement }))
  } catch (error) {
    return [unreachable(describeTarget(target), error)]
  } finally {
    link.close()
  }
}

async function judgeServer(client: Redis, { ephemeral, replication }: RedisStreamOptions): Promise<Judgement[]> {
  const facts = await gatherFacts(client)
  const rung = `${productOf(facts.info)}, stream commands of ${await rungOf(client)}`
  const judgements: Judgement[] = [
    { check: 'capabilities', verdict: 'ok', message: rung },
    ...judgeSafety(facts),
    ...judgeSettings(facts, ephemeral ?? false),
  ]
  const aheadMs = await clockAhead(client)
  if (aheadMs !== undefined) judgements.push(judgeClock(aheadMs))
  if (replication !== undefined) {
    judgements.push(judgeReplicas(facts, replication.replicas, await configOf(client, 'min-replicas-to-write')))
  }
  return judgements
}

/** The server's clock against this host's, at the middle of the question. Milliseconds. */
async function clockAhead(client: Redis): Promise<number | undefined> {
  const askedMs = Date.now()
  const time = await allowed(() => client.time())
  if (time === undefined) return undefined
  return Number(time[0]) * 1000 + Number(time[1]) / 1000 - (askedMs + Date.now()) / 2
}

/** What the queue was made with, and what the user may do with its keys. */
async function examineQueue(
  redis: RedisStreamOptions,
  topology: RedisTopology,
  roles: readonly Role[],
): Promise<Diagnosis[]> {
  const { shards, queueName, commandTimeoutMs } = redis
  const router = new CommandRouter({
    options: redis,
    topology,
    name: 'doctor',
    replyTimeoutMs: commandTimeoutMs,
    newClient: newIoredisClient,
    prepare: async () => undefined,
  })
  const { meta } = queueKeys(queueName)
  try {
    const [protocol, made, tags] = await router.call(meta, (client) => client.hmget(meta, 'protocol', 'shards', 'tags'))
    const scheme: TagScheme = tags === 'spread' ? 'spread' : 'plain'
    const [{ owner: work }] = keysOfShards(queueName, shards, scheme)
    const inbox = inboxKeys(queueName).owner
    const missing = await Promise.all(
      roles.flatMap((role) => {
        const key = role === 'inbox' ? inbox : work
        return [
          router.call(key, (client) => missingRights(client, role, 'work', key)),
          router.call(meta, (client) => missingRights(client, role, 'queue', meta)),
        ]
      }),
    )
    const judgements = [judgeQueue(protocol, made, shards), judgeRights([...new Set(missing.flat())])]
    return judgements.map((judgement) => ({ where: router.where, ...judgement }))
  } catch (error) {
    return [unreachable(router.where, error)]
  } finally {
    router.close()
  }
}

function unreachable(where: string, error: unknown): Diagnosis {
  const { message } = toPortableError(error, 'TLM_STREAM_UNAVAILABLE')
  const text = message.startsWith(`${where}: `) ? message.slice(where.length + 2) : message
  return { where, check: 'reach', verdict: 'refuse', message: text.replace(/\.$/, '') }
}
