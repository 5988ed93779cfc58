import type { Judgement } from './diagnosis.js'
import type { ServerFacts } from './server-facts.js'

const OLDEST = [7, 0, 0]
/** CVE-2026-23479: evicting a blocked client uses it after it was freed. Processors are blocked clients. */
const CLIENT_EVICTION_BUG = { from: [7, 2, 0], to: [8, 6, 2] }
/** Beyond this the ages and lags that programs compute are wrong enough to mislead. Milliseconds. */
const MAX_SKEW_MS = 5000

type Info = ReadonlyMap<string, string>

/** What decides whether a server may be used at all: looked at on every connection. */
export function judgeSafety({ info, maxMemoryClients }: ServerFacts): Judgement[] {
  if (info.size === 0) {
    const message = 'the user may not use INFO, so version and settings are unknown. Fix: grant it'
    return [{ check: 'info', verdict: 'warn', message }]
  }
  return [judgeVersion(info, maxMemoryClients), judgeEviction(info)]
}

/** What is worth a warning. @param isEphemeral the operator accepts that nothing outlives the server */
export function judgeSettings({ info }: ServerFacts, isEphemeral: boolean): Judgement[] {
  return info.size === 0 ? [] : [judgeMemory(info), judgePersistence(info, isEphemeral)]
}

/** @param aheadMs how far the server's clock is ahead of this host's; negative: behind */
export function judgeClock(aheadMs: number): Judgement {
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1)
  const side = aheadMs > 0 ? 'ahead of' : 'behind'
  return Math.abs(aheadMs) <= MAX_SKEW_MS
    ? { check: 'clock', verdict: 'ok', message: `is ${seconds} s ${side} this host's` }
    : {
        check: 'clock',
        verdict: 'warn',
        message: `is ${seconds} s ${side} this host's: ages and lags will be wrong. Fix: run an NTP client on both hosts`,
      }
}

/**
 * @param wanted replicas that have to confirm an append
 * @param minReplicas the server's `min-replicas-to-write`, if the user may ask
 */
export function judgeReplicas({ info }: ServerFacts, wanted: number, minReplicas: string | undefined): Judgement {
  const connected = Number(info.get('connected_slaves'))
  const check = 'replicas'
  if (info.size > 0 && connected < wanted) {
    const message = `has ${connected} of the ${wanted} that must confirm an append. Fix: connect more, or lower redis.replicas`
    return { check, verdict: 'warn', message }
  }
  if (minReplicas !== undefined && Number(minReplicas) < wanted) {
    const fix = `Fix: redis-cli CONFIG SET min-replicas-to-write ${wanted}, and the same line in redis.conf`
    const message = `min-replicas-to-write is ${minReplicas}: a primary that is cut off goes on taking acknowledgements that will be lost. ${fix}`
    return { check, verdict: 'warn', message }
  }
  return { check, verdict: 'ok', message: `${connected} connected, ${wanted} have to confirm` }
}

/** @param missing commands that the user may not use */
export function judgeRights(missing: readonly string[]): Judgement {
  if (missing.length === 0) return { check: 'rights', verdict: 'ok', message: 'the user may use all commands needed' }
  const list = missing.join(', ')
  const grants = missing.map((name) => `+${name.replace(' ', '|')}`.toLowerCase()).join(' ')
  return {
    check: 'rights',
    verdict: 'refuse',
    message: `the user may not use ${list}. Fix: ACL SETUSER <user> ${grants}`,
  }
}

/** Whether the server is of a version in which client eviction is dangerous. Valkey's fork is older than the defect's report and is not judged. */
export function hasClientEvictionBug(info: Info): boolean {
  if (info.has('valkey_version')) return false
  const version = numbersOf(info.get('redis_version'))
  return compare(version, CLIENT_EVICTION_BUG.from) >= 0 && compare(version, CLIENT_EVICTION_BUG.to) <= 0
}

/** e.g. `Redis 7.0.15` */
export function productOf(info: Info): string {
  const valkey = info.get('valkey_version')
  return valkey === undefined ? `Redis ${info.get('redis_version') ?? '(unknown)'}` : `Valkey ${valkey}`
}

function judgeVersion(info: Info, maxMemoryClients: string | undefined): Judgement {
  const check = 'version'
  const product = productOf(info)
  if (compare(numbersOf(info.get('valkey_version') ?? info.get('redis_version')), OLDEST) < 0) {
    return { check, verdict: 'refuse', message: `is ${product}; streams need 7.0 or newer. Fix: upgrade it` }
  }
  if (!hasClientEvictionBug(info) || maxMemoryClients === '0') return { check, verdict: 'ok', message: `is ${product}` }
  const bug = `${product} can crash or be taken over when it evicts a waiting client (CVE-2026-23479)`
  return maxMemoryClients === undefined
    ? { check, verdict: 'warn', message: `${bug}. Fix: upgrade to 8.6.3, or make sure that maxmemory-clients is 0` }
    : { check, verdict: 'refuse', message: `${bug}. Fix: upgrade to 8.6.3, or CONFIG SET maxmemory-clients 0` }
}

function judgeEviction(info: Info): Judgement {
  const policy = info.get('maxmemory_policy')
  if (policy === undefined || policy === 'noeviction') {
    return { check: 'eviction', verdict: 'ok', message: `maxmemory-policy is ${policy ?? 'unknown'}` }
  }
  const fix = 'Fix: redis-cli CONFIG SET maxmemory-policy noeviction, and the same line in redis.conf'
  const message = `has maxmemory-policy ${policy}: it would throw batches away. ${fix}`
  return { check: 'eviction', verdict: 'refuse', message }
}

function judgeMemory(info: Info): Judgement {
  const check = 'memory'
  const limit = Number(info.get('maxmemory'))
  if (limit > 0) return { check, verdict: 'ok', message: `maxmemory is ${info.get('maxmemory_human') ?? limit}` }
  const fix = "Fix: set maxmemory below the host's memory"
  return { check, verdict: 'warn', message: `has no maxmemory: when it fills up the host kills it. ${fix}` }
}

function judgePersistence(info: Info, isEphemeral: boolean): Judgement {
  const check = 'persistence'
  if (info.get('aof_enabled') === '1') {
    const status = info.get('aof_last_write_status') ?? 'ok'
    if (status === 'ok') return { check, verdict: 'ok', message: 'appendonly is yes' }
    return { check, verdict: 'warn', message: `cannot write its append-only file. Fix: free space on its disk` }
  }
  if (isEphemeral) return { check, verdict: 'ok', message: 'appendonly is no, as redis.ephemeral says it may be' }
  const fix = 'Fix: appendonly yes in redis.conf, or redis.ephemeral: true here'
  return { check, verdict: 'warn', message: `has appendonly no: a restart loses what it held. ${fix}` }
}

function numbersOf(version: string | undefined): number[] {
  return (version ?? '').split('.').map((part) => Number.parseInt(part, 10) || 0)
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < 3; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
