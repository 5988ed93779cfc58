import type { Redis } from 'ioredis'
import { TelemetryError } from '../../errors/telemetry-error.js'
import type { CommandRouter } from './command-router.js'
import type { Judgement } from './doctor/diagnosis.js'
import { missingRights, type Role } from './doctor/rights.js'
import { gatherFacts } from './doctor/server-facts.js'
import { judgeRights, judgeSafety } from './doctor/server-rules.js'
import type { TagScheme } from './hash-slot.js'
import type { QueueKeys } from './keyspace.js'

/** Version of the keys and scripts of a queue. Those of another version are not touched. */
const PROTOCOL = 1

/**
 * Refuses a Redis that is too old, may evict entries or is a replica. A user who may not ask (`INFO` is denied by the
 * ACL) goes on.
 *
 * @returns which run of which history of the data it is, when it may be asked
 * @throws TLM_STREAM_MISCONFIGURED; TLM_STREAM_UNAVAILABLE for a replica, which may become the primary any moment
 */
export async function checkServer(client: Redis, where: string): Promise<string | undefined> {
  const facts = await gatherFacts(client)
  const { info } = facts
  refuseIf(judgeSafety(facts), where)
  if (info.get('role') === 'slave') throw new Error('READONLY it is a replica')
  // A replica that is promoted keeps its run id and begins another history; one that was restarted keeps neither.
  return info.size === 0 ? undefined : `${info.get('run_id')} ${info.get('master_replid')}`
}

/** Refuses a user who may not do what a role needs, before anything fails halfway. @throws TLM_STREAM_MISCONFIGURED */
export async function checkRights(
  router: CommandRouter,
  role: Role,
  { work, queue }: { work: string; queue: string },
): Promise<void> {
  const missing = [
    ...(await router.call(work, (client) => missingRights(client, role, 'work', work))),
    ...(await router.call(queue, (client) => missingRights(client, role, 'queue', queue))),
  ]
  refuseIf([judgeRights([...new Set(missing)])], router.where)
}

/**
 * Makes the queue known with its number of shards, or checks that it is the one it was made with: another number would
 * send a source to another shard, away from its state.
 *
 * @param tags how the shards of a new queue are tagged; one that is there stays as it was made
 * @returns how they are tagged
 * @throws TLM_STREAM_MISCONFIGURED
 */
export async function checkQueue(
  client: Redis,
  where: string,
  keys: QueueKeys,
  shards: number,
  tags: TagScheme,
): Promise<TagScheme> {
  let [protocol, made, tagged] = await client.hmget(keys.meta, 'protocol', 'shards', 'tags')
  if (protocol === null || made === null) {
    // Two that come at once: the first one's values stay, and both read them.
    await client.hsetnx(keys.meta, 'tags', tags)
    await client.hsetnx(keys.meta, 'protocol', PROTOCOL)
    await client.hsetnx(keys.meta, 'shards', shards)
    ;[protocol, made, tagged] = await client.hmget(keys.meta, 'protocol', 'shards', 'tags')
  }
  refuseIf([judgeQueue(protocol, made, shards)], where)
  // Queues from before tags were chosen have none on record.
  return tagged === 'spread' ? 'spread' : 'plain'
}

/** @param protocol as the queue has it, and the number of shards it was made with; `null`: nobody has opened it yet */
export function judgeQueue(protocol: string | null, made: string | null, shards: number): Judgement {
  const check = 'queue'
  if (protocol === null || made === null) return { check, verdict: 'ok', message: 'the queue is not made yet' }
  if (Number(protocol) !== PROTOCOL) {
    const fix = 'Fix: use the program of that version, or another queue name'
    const message = `the queue is of protocol ${protocol}, this program speaks ${PROTOCOL}. ${fix}`
    return { check, verdict: 'refuse', message }
  }
  if (Number(made) !== shards) {
    const fix = `Fix: set shards to ${made} here, or use another queue name`
    const message = `the queue was made with ${made} shards, this program has ${shards}. ${fix}`
    return { check, verdict: 'refuse', message }
  }
  return { check, verdict: 'ok', message: `the queue has ${made} shards and speaks protocol ${protocol}` }
}

function refuseIf(judgements: readonly Judgement[], where: string): void {
  const refusal = judgements.find(({ verdict }) => verdict === 'refuse')
  if (refusal !== undefined) throw new TelemetryError('TLM_STREAM_MISCONFIGURED', `${where}: ${refusal.message}.`)
}
