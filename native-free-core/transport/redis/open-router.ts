import type { Redis } from 'ioredis'
import { CommandRouter } from './command-router.js'
import { type NewClient, newIoredisClient } from './redis-connection.js'
import type { RedisOptions } from './redis-options.js'
import { findTopology } from './redis-topology.js'

/** What a new connection has reached. */
export interface Reached {
  /** For messages. */
  where: string
  isCluster: boolean
  /** Whether the router's first key is there. */
  holdsKey: boolean
}

/**
 * Finds out where Redis is and opens the connection to the server that holds a key; others open when they are needed.
 *
 * @param prepare looks at every new connection, and returns which run of which server it is
 * @param newClient what stands for ioredis in a simulation
 * @throws TLM_STREAM_UNAVAILABLE TLM_STREAM_MISCONFIGURED
 */
export async function openRouter(
  options: RedisOptions,
  name: string,
  key: string,
  prepare: (client: Redis, reached: Reached) => Promise<string | undefined>,
  newClient: NewClient = newIoredisClient,
): Promise<CommandRouter> {
  const topology = await findTopology(options, newClient)
  const { isCluster } = topology
  const router = new CommandRouter({
    options,
    topology,
    name,
    newClient,
    replyTimeoutMs: options.commandTimeoutMs + (options.replication?.timeoutMs ?? 0),
    prepare: async (client, where, node) => {
      const holdsKey = (await topology.nodeOf(key)).name === node.name
      return prepare(client, { where, isCluster, holdsKey })
    },
  })
  try {
    await router.call(key, async () => {})
  } catch (error) {
    router.close()
    throw error
  }
  return router
}
