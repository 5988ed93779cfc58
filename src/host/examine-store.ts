import { ERROR_CODES } from '#core/errors/codes'
import type { Diagnosis } from '#core/transport/redis/doctor/diagnosis'
import type { Role } from '#core/transport/redis/doctor/rights'
import type { Store } from './store-options.js'

/**
 * The subcommand `doctor`: prints a line for each thing looked at.
 *
 * @param roles what the program does with the queue
 * @returns exit code: 0, or that of a wrong configuration when something would lose or refuse batches
 */
export async function examineStore(store: Store, roles: readonly Role[]): Promise<number> {
  if (store.kind === 'embedded') {
    console.log(`ok      store         is embedded, in ${store.directory}: there is no server to examine`)
    return 0
  }
  const diagnoses = await diagnose(store, roles)
  for (const diagnosis of diagnoses) console.log(diagnosisLine(diagnosis))
  return diagnoses.some(({ verdict }) => verdict === 'refuse') ? ERROR_CODES.TLM_STREAM_MISCONFIGURED.exit : 0
}

/** Loads the Redis client only when there is a Redis. @throws TLM_OPTIONS_INVALID */
export async function diagnose(store: Store & { kind: 'redis' }, roles: readonly Role[]): Promise<Diagnosis[]> {
  const { examineRedis } = await import('#core/transport/redis/doctor/redis-doctor')
  return examineRedis({ ...store.redis, shards: store.shards }, roles)
}

function diagnosisLine({ verdict, check, where, message }: Diagnosis): string {
  return `${verdict.padEnd(7)} ${check.padEnd(13)} ${where}: ${message}`
}
