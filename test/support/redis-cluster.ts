import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import type { Redis } from 'ioredis'
import { SLOTS } from '#core/transport/redis/hash-slot'
import { startRedis, type TestRedis } from './redis-server.js'
import { adminOf } from './redis-store.js'

/** A real Redis Cluster of the test's own: masters, and a replica for each if wanted, on free loopback ports. */
export interface TestCluster {
  readonly nodes: readonly ClusterNode[]
  /** Addresses of the masters it began with. */
  readonly seeds: { host: string; port: number }[]
  /** The master that holds a slot, as the first node that answers says. */
  holderOf(slot: number): Promise<ClusterNode>
  /**
   * Moves a slot with all its keys to another master, while it is in use, as `redis-cli --cluster reshard` does.
   *
   * @param midway waited for when the first of its keys have moved; nodes may have been restarted then
   */
  moveSlot(slot: number, to: ClusterNode, midway?: () => Promise<void>): Promise<void>
  stop(): Promise<void>
}

export interface ClusterNode {
  readonly server: TestRedis
  readonly port: number
  /** Where the nodes talk to each other. */
  readonly busPort: number
  /** A plain client of this node; it connects again when the server is restarted. */
  readonly admin: Redis
  stop(): Promise<void>
}

/** Shorter than the default of 15 s: tests wait for failovers. Milliseconds. */
const NODE_TIMEOUT_MS = 1500

/** @param extra further command line options of every node */
export async function startCluster(
  masters = 3,
  { replicas = 0, extra = [] }: { replicas?: number; extra?: readonly string[] } = {},
): Promise<TestCluster> {
  const nodes = await Promise.all(Array.from({ length: masters * (1 + replicas) }, () => startNode(extra)))
  const stop = async () => void (await Promise.all(nodes.map((node) => node.stop())))
  const heads = nodes.slice(0, masters)
  try {
    await form(nodes, heads)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    nodes,
    seeds: heads.map(({ port }) => ({ host: '127.0.0.1', port })),
    holderOf: (slot) => holderOf(nodes, slot),
    moveSlot: async (slot, to, midway) => moveSlot(nodes, await holderOf(nodes, slot), to, slot, midway),
    stop,
  }
}

/** Shares out the slots, has the nodes meet, and makes the rest replicas. */
async function form(nodes: readonly ClusterNode[], heads: readonly ClusterNode[]): Promise<void> {
  for (const [i, node] of heads.entries()) {
    const admin = node.admin
    const from = Math.floor((i * SLOTS) / heads.length)
    const to = Math.floor(((i + 1) * SLOTS) / heads.length) - 1
    await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', from, to)
  }
  const first = nodes[0].admin
  for (const node of nodes.slice(1)) {
    await first.call('CLUSTER', 'MEET', '127.0.0.1', node.port, node.busPort)
  }
  await Promise.all(nodes.map((node) => knows(node, nodes.length)))
  for (const [i, node] of nodes.slice(heads.length).entries()) {
    const masterId = await idOf(heads[i % heads.length])
    await node.admin.call('CLUSTER', 'REPLICATE', masterId)
  }
  await Promise.all(nodes.map(isReady))
}

async function startNode(extra: readonly string[]): Promise<ClusterNode> {
  const options = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(NODE_TIMEOUT_MS)]
  const port = await portPair()
  // Redis's own choice of the bus port, 10 000 above, may not exist or may be taken.
  const server = await startRedis([...options, '--cluster-port', String(port.bus), ...extra], port.client)
  const admin = await adminOf(server.port)
  return {
    server,
    admin,
    port: server.port,
    busPort: port.bus,
    async stop() {
      admin.disconnect()
      await server.stop()
    },
  }
}

/** Two free ports, held at the same time so that they differ. */
async function portPair(): Promise<{ client: number; bus: number }> {
  const [client, bus] = [createServer(), createServer()]
  const ports = [await listen(client), await listen(bus)]
  for (const server of [client, bus]) {
    server.close()
    await once(server, 'close')
  }
  return { client: ports[0], bus: ports[1] }
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as { port: number }).port
}

async function idOf(node: ClusterNode): Promise<string> {
  return (await node.admin.call('CLUSTER', 'MYID')) as string
}

async function knows(node: ClusterNode, count: number): Promise<void> {
  await poll(async () => {
    const known = (await node.admin.call('CLUSTER', 'NODES')) as string
    const lines = known.trim().split('\n')
    return lines.length === count && lines.every((line) => !/handshake|noaddr/.test(line))
  })
}

async function isReady(node: ClusterNode): Promise<void> {
  await poll(async () => {
    const admin = node.admin
    const info = (await admin.call('CLUSTER', 'INFO')) as string
    if (!/cluster_state:ok/.test(info) || !/cluster_slots_assigned:16384/.test(info)) return false
    const replication = await admin.info('replication')
    return !/role:slave/.test(replication) || /master_link_status:up/.test(replication)
  })
}

async function holderOf(nodes: readonly ClusterNode[], slot: number): Promise<ClusterNode> {
  for (const node of nodes) {
    try {
      const ranges = (await node.admin.call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][]
      const range = ranges.find(([from, to]) => slot >= from && slot <= to)
      const holder = nodes.find(({ port }) => port === range?.[2][1])
      if (holder !== undefined) return holder
    } catch {
      // It is down: the next one knows.
    }
  }
  throw new Error(`No node holds slot ${slot}.`)
}

/** The steps of the Redis Cluster Specification, "Live resharding". */
async function moveSlot(
  nodes: readonly ClusterNode[],
  from: ClusterNode,
  to: ClusterNode,
  slot: number,
  midway: () => Promise<void> = async () => {},
): Promise<void> {
  if (from === to) return
  const [source, target] = [from.admin, to.admin]
  const [sourceId, targetId] = [await idOf(from), await idOf(to)]
  await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId)
  await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId)
  const migrate = async (count: number) => {
    const keys = (await source.call('CLUSTER', 'GETKEYSINSLOT', slot, count)) as string[]
    for (const key of keys) await source.call('MIGRATE', '127.0.0.1', to.port, key, 0, 5000)
    return keys.length
  }
  await migrate(2)
  await midway()
  while ((await migrate(10)) > 0);
  for (const node of [to, from, ...nodes.filter((other) => other !== to && other !== from)]) {
    const admin = node.admin
    // Replicas hear of it from their masters.
    if (/role:master/.test(await admin.info('replication'))) {
      await admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId)
    }
  }
}

async function poll(isMet: () => Promise<boolean>, withinMs = 15_000): Promise<void> {
  const untilMs = performance.now() + withinMs
  while (!(await isMet())) {
    if (performance.now() > untilMs) throw new Error('The cluster did not come up.')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
