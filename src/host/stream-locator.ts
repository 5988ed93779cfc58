import type { StreamLocator } from '#core/transport/batch-stream'
import type { Store } from './store-options.js'

/** Tells any thread how to open the chosen store: the module is loaded by URL, so threads import neither kind. */
export function streamLocator(store: Store): StreamLocator {
  return store.kind === 'redis'
    ? {
        moduleUrl: import.meta.resolve('#core/transport/redis/redis-stream'),
        options: { ...store.redis, shards: store.shards },
      }
    : {
        moduleUrl: import.meta.resolve('#src/embedded/embedded-stream'),
        options: { directory: store.directory, shards: store.shards },
      }
}
