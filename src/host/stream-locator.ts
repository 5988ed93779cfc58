import type { StreamLocator } from '#core/transport/batch-stream'
import type { DeadLetterLimits } from '#core/transport/dead-letters'
import type { Store } from './store-options.js'

/**
 * Tells any thread how to open the chosen store: the module is loaded by URL, so threads import neither kind.
 *
 * @param deadLetters bounds per shard, for those who let batches die; the defaults when absent
 */
export function streamLocator(store: Store, deadLetters?: DeadLetterLimits): StreamLocator {
  return store.kind === 'redis'
    ? {
        moduleUrl: import.meta.resolve('#core/transport/redis/redis-stream'),
        options: { ...store.redis, shards: store.shards, deadLetters },
      }
    : {
        moduleUrl: import.meta.resolve('#src/embedded/embedded-stream'),
        options: { directory: store.directory, shards: store.shards, deadLetters },
      }
}
