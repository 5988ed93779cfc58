import { ClusterMap } from './cluster-map.js'
import { describeTarget, type NewClient, newConnection, type RedisTarget } from './redis-connection.js'
import { isDenied, toTelemetryError } from './redis-errors.js'
import type { RedisNode, RedisTopology } from './redis-node.js'
import type { RedisAddress, RedisOptions } from './redis-options.js'

/** One server, or the present primary that sentinels name: it holds everything. */
export class SingleTopology implements RedisTopology {
  readonly where: string
  readonly isCluster = false
  readonly #node: RedisNode

  constructor(target: RedisTarget) {
    this.where = describeTarget(target)
    this.#node = { name: 'the only one', target }
  }

  async nodeOf(): Promise<RedisNode> {
    return this.#node
  }

  async masters(): Promise<readonly RedisNode[]> {
    return [this.#node]
  }

  /** Sentinels are asked at every connection anyway. */
  doubt(): void {}

  moved(): void {}
}

/**
 * Finds out what kind of Redis the options name: a cluster when they say so or when the server says that it is a node
 * of one.
 *
 * @throws TLM_STREAM_UNAVAILABLE, TLM_STREAM_MISCONFIGURED
 */
export async function findTopology(options: RedisOptions, newClient: NewClient): Promise<RedisTopology> {
  const { cluster, sentinels, sentinelName, host, port } = options
  if (cluster !== undefined) return new ClusterMap(options, cluster)
  if (sentinels !== undefined) return new SingleTopology({ sentinels, name: sentinelName! })
  const target: RedisAddress = { host, port }
  return (await isClusterNode(options, target, newClient))
    ? new ClusterMap(options, [target])
    : new SingleTopology(target)
}

/** A user who may not ask is taken to be at a single server: the first `MOVED` tells otherwise, and what to set. */
async function isClusterNode(options: RedisOptions, target: RedisAddress, newClient: NewClient): Promise<boolean> {
  // Database 0: ioredis goes on there when SELECT fails, and it is for the links to find that out.
  const client = newConnection({ ...options, db: 0 }, target, 'topology', options.commandTimeoutMs, newClient)
  let cause: unknown
  client.on('error', (error) => {
    cause ??= error
  })
  try {
    await client.connect()
    return /^cluster_enabled:1/m.test(await client.info('cluster'))
  } catch (error) {
    if (isDenied(error)) return false
    throw toTelemetryError(cause ?? error, describeTarget(target))
  } finally {
    client.disconnect()
  }
}
