import type { RedisScript } from '#core/transport/redis/redis-script'
import { APPEND } from '#core/transport/redis/scripts/append-v1-k5'
import { BEAT } from '#core/transport/redis/scripts/beat-v1-k1'
import { DEPTH } from '#core/transport/redis/scripts/depth-v1-k7'
import { OWN } from '#core/transport/redis/scripts/own-v1-k7'
import { PROMOTE } from '#core/transport/redis/scripts/promote-v1-k6'
import { REGROUP } from '#core/transport/redis/scripts/regroup-v1-k5'
import { RELEASE } from '#core/transport/redis/scripts/release-v2-k5'
import { RENEW } from '#core/transport/redis/scripts/renew-v1-k1'
import { RIGHTS } from '#core/transport/redis/scripts/rights-v1-k1'
import { SETTLE } from '#core/transport/redis/scripts/settle-v4-k12'
import { append, settle } from './batch-scripts.js'
import { millisecondsOf } from './model-stream.js'
import { own, promote, regroup, release, renew } from './ownership-scripts.js'
import type { ScriptCall } from './script-call.js'

export interface ModelScript {
  /** Without its version. */
  readonly name: string
  readonly sha: string
  /** Absent for those that are not about one shard's entries: the server has them itself. */
  readonly run?: (call: ScriptCall) => unknown
}

const SCRIPTS: readonly (readonly [RedisScript, ModelScript['run']])[] = [
  [APPEND, append],
  [BEAT, undefined],
  [DEPTH, depth],
  [OWN, own],
  [PROMOTE, promote],
  [REGROUP, regroup],
  [RELEASE, release],
  [RENEW, renew],
  [RIGHTS, undefined],
  [SETTLE, settle],
]

const BY_KEY = new Map<string, ModelScript>()
for (const [{ name, sha, text }, run] of SCRIPTS) {
  const script = { name: name.split('-v')[0], sha, ...(run !== undefined && { run }) }
  BY_KEY.set(sha, script)
  BY_KEY.set(text, script)
}

/** @param key hash or text @throws the model does not know it: whoever changes a script changes its model */
export function scriptOf(key: string): ModelScript {
  const script = BY_KEY.get(key)
  if (script === undefined) throw new Error(`test/simulation/store has no model of this script: ${key.slice(0, 80)}`)
  return script
}

function depth({ shard, nowMs }: ScriptCall): unknown {
  const { owner, streams, delayed, dead, samples, bytes } = shard
  const holder = owner.untilMs > nowMs ? owner.holder : ''
  const heads = streams.flatMap(({ entries }) => (entries.length === 0 ? [] : [millisecondsOf(entries[0].id)]))
  const oldestMs = heads.length === 0 ? -1 : Math.min(...heads)
  return [shard.unsettled, samples, bytes, dead.length, delayed.size, oldestMs, Buffer.from(holder)]
}
