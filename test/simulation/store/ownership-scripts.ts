/** The scripts that change who owns a shard, as `transport/redis/scripts` has them. */
import type { ModelShard } from './model-shard.js'
import { formatId, parseId } from './model-stream.js'
import { FENCED, numberOf, type ScriptCall, ServerError, textOf } from './script-call.js'

/** Epochs of a producer whose high waters outlive a change of owner are a matter of size: never here. */
export function own(call: ScriptCall): unknown {
  const { shard, nowMs, args, flaws } = call
  const { owner } = shard
  const [holder, claim] = args.map(textOf)
  const isHeld = owner.untilMs > nowMs
  if (isHeld && owner.claim !== claim) return [0]
  if (!isHeld) {
    const token = Math.max(owner.token + 1, nowMs)
    const from = flaws.has('no leftovers') ? 'last read' : '0'
    for (let priority = 0; priority < 3; priority++) {
      replaceGroups(shard, priority, Number.POSITIVE_INFINITY, { name: `g${token}.0`, from })
    }
    call.groupsGone()
    call.watcher.takenOver(owner.holder, shard.state)
    shard.owner = { holder, claim, token, untilMs: 0, settled: 0, group: 0 }
  }
  shard.owner.untilMs = nowMs + numberOf(args[2])
  return [shard.owner.token, dueInMs(shard, nowMs), flatDeliveries(shard)]
}

export function renew({ shard, nowMs, args, flaws }: ScriptCall): unknown {
  const { owner } = shard
  const isOwner = owner.token === numberOf(args[0]) && owner.holder !== ''
  if (!isOwner) return flaws.has('no fence') ? 1 : 0
  owner.untilMs = nowMs + numberOf(args[1])
  return 1
}

export function release(call: ScriptCall): unknown {
  const { shard, args } = call
  const { owner } = shard
  if (owner.token !== numberOf(args[0]) || owner.holder === '') return 0
  for (const delivered of args.slice(1)) {
    const [priority, id] = textOf(delivered).split(':')
    if (shard.streams[Number(priority)].find(parseId(id)) !== undefined) countDelivery(shard, textOf(delivered))
  }
  for (let priority = 0; priority < 3; priority++) replaceGroups(shard, priority, 0)
  call.groupsGone()
  Object.assign(owner, { holder: '', claim: '', untilMs: 0 })
  return 1
}

export function regroup(call: ScriptCall): unknown {
  const { shard, args, flaws } = call
  const { owner } = shard
  const number = numberOf(args[1])
  if (owner.token !== numberOf(args[0])) return 0
  if (owner.group >= number) return new ServerError('BUSY a later group was made already')
  for (let priority = 0; priority < 3; priority++) {
    const last = textOf(args[2 + priority])
    const from = flaws.has('no regroup') ? 'last read' : last
    replaceGroups(shard, priority, parseId(last), { name: `g${owner.token}.${number}`, from })
  }
  call.groupsGone()
  owner.group = number
  return 1
}

/** @returns ms, -1 when none is delayed */
export function dueInMs(shard: ModelShard, nowMs: number): number {
  return shard.dueAtMs === undefined ? -1 : Math.max(0, shard.dueAtMs - nowMs)
}

export function promote(call: ScriptCall): unknown {
  const { shard, nowMs, args } = call
  if (shard.owner.token !== numberOf(args[0])) return FENCED
  const due = [...shard.delayed].filter(([, atMs]) => atMs <= nowMs)
  due.sort(([left, leftMs], [right, rightMs]) => leftMs - rightMs || (left < right ? -1 : 1))
  for (const [member] of due.slice(0, numberOf(args[1]))) {
    const fields = shard.held.get(member)
    if (fields !== undefined) shard.streams[Number(member[0])].add(nowMs, fields)
    shard.held.delete(member)
    shard.delayed.delete(member)
  }
  if (due.length > 0) call.entriesAdded()
  return dueInMs(shard, nowMs)
}

/** `from`: an id, or `last read`, where the last of the former groups had read to. */
function replaceGroups(shard: ModelShard, priority: number, countTo: number, next?: { name: string; from: string }) {
  const stream = shard.streams[priority]
  let lastRead = 0
  for (const [name, { lastId, pending }] of stream.groups) {
    for (const id of pending) if (id <= countTo) countDelivery(shard, `${priority}:${formatId(id)}`)
    lastRead = Math.max(lastRead, lastId)
    stream.groups.delete(name)
  }
  if (next === undefined) return
  const lastId = next.from === 'last read' ? lastRead : parseId(next.from)
  stream.groups.set(next.name, { lastId, pending: new Set() })
}

function countDelivery(shard: ModelShard, key: string): void {
  shard.deliveries.set(key, (shard.deliveries.get(key) ?? 0) + 1)
}

function flatDeliveries({ deliveries }: ModelShard): Buffer[] {
  return [...deliveries].flatMap(([key, count]) => [Buffer.from(key), Buffer.from(String(count))])
}
