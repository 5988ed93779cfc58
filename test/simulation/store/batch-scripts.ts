/** The scripts that store and settle batches, as `transport/redis/scripts` has them. */
import { type Fields, fieldOf, parseId } from './model-stream.js'
import { dueInMs } from './ownership-scripts.js'
import { type Argument, bytesOf, FENCED, numberOf, type ScriptCall, ServerError, textOf } from './script-call.js'

const STORED = -1
const DUPLICATE = -2
const BATCH_ARGUMENTS = 9

export function append(call: ScriptCall): unknown {
  const { shard, shardNumber, nowMs, args, flaws, watcher } = call
  const field = textOf(args[0])
  const replies: number[] = []
  for (let at = 1; at < args.length; at += BATCH_ARGUMENTS) {
    const [priority, after, seq, id, handler, samples, firstTakenAtUs, bytes, body] = args.slice(at, at + 9)
    const high = shard.highWater.get(field) ?? 0
    if (high >= numberOf(seq) && !flaws.has('no high water')) replies.push(DUPLICATE)
    else if (high !== numberOf(after) && !flaws.has('no high water')) replies.push(high)
    else {
      const named = { c: id, h: handler, n: samples, t: firstTakenAtUs, b: body }
      shard.streams[numberOf(priority)].add(nowMs, fieldsOf(named))
      shard.highWater.set(field, numberOf(seq))
      shard.samples += numberOf(samples)
      shard.bytes += numberOf(bytes)
      watcher.highWater(shardNumber, field, high, numberOf(seq))
      watcher.appended(shardNumber, textOf(id), bytesOf(body))
      replies.push(STORED)
    }
  }
  call.entriesAdded()
  return replies
}

export function settle(call: ScriptCall): unknown {
  const { shard, shardNumber, nowMs, args, flaws, watcher } = call
  const { owner } = shard
  const token = numberOf(args[0])
  if (owner.token !== token && !flaws.has('no fence')) return FENCED
  if (owner.settled >= numberOf(args[1]) && !flaws.has('no settlement numbers')) {
    return new ServerError('BUSY a later settlement was made already')
  }
  owner.settled = numberOf(args[1])
  const group = textOf(args[2])
  const acked: string[] = []
  const dead: string[] = []

  const remove = (priority: number, id: string) => {
    shard.deliveries.delete(`${priority}:${id}`)
    return shard.streams[priority].remove(group, parseId(id))
  }
  const forget = (samples: Argument, bytes: Argument) => {
    shard.samples -= numberOf(samples)
    shard.bytes -= numberOf(bytes)
  }
  const find = (priority: number, id: string) => shard.streams[priority].find(parseId(id))?.fields

  // Behind the bounds of the dead letters, of which there are never so many here.
  let at = 6
  for (let left = numberOf(args[at]); left > 0; left--) {
    const priority = numberOf(args[at + 1])
    const count = numberOf(args[at + 2])
    const ids = args.slice(at + 6, at + 6 + count).map(textOf)
    const sizes = textOf(args[at + 5]).split(';')
    for (const id of ids) {
      const fields = find(priority, id)
      if (fields !== undefined) acked.push(batchIdOf(fields))
    }
    // Whether the whole group was pending decides which sizes the script takes.
    const { pending } = shard.streams[priority].groups.get(group) ?? { pending: new Set<number>() }
    const wereAllPending = ids.every((id) => pending.has(parseId(id)))
    for (const [index, id] of ids.entries()) {
      const [samples, bytes] = sizes[index].split(',')
      if (remove(priority, id) && !wereAllPending) forget(samples, bytes)
    }
    if (wereAllPending) forget(args[at + 3], args[at + 4])
    at += 5 + count
  }

  at++
  for (let left = numberOf(args[at]); left > 0; left--) {
    const priority = numberOf(args[at + 1])
    const id = textOf(args[at + 2])
    const fields = find(priority, id)
    if (fields !== undefined) {
      const member = `${priority}:${id}`
      const handler = textOf(args[at + 6])
      const first = { a: args[at + 3], d: args[at + 4], ...(handler !== '' && { h: handler }) }
      shard.held.set(member, withOthers(first, fields))
      shard.delayed.set(member, nowMs + numberOf(args[at + 5]))
      remove(priority, id)
    }
    at += 6
  }

  at++
  for (let left = numberOf(args[at]); left > 0; left--) {
    const priority = numberOf(args[at + 1])
    const id = textOf(args[at + 2])
    const fields = find(priority, id)
    const parts = numberOf(args[at + 10])
    if (fields !== undefined) {
      const [attempts, deliveries, x, m, f] = args.slice(at + 5, at + 10)
      const common = { p: priority, o: id, a: attempts, d: deliveries }
      if (parts === 0) shard.dead.push(withOthers({ x, m, f, ...common }, fields))
      for (let part = 0; part < parts; part++) {
        const [kind, message, mark, c, n, t, b] = args.slice(at + 11 + 7 * part, at + 18 + 7 * part)
        shard.dead.push(withOthers({ x: kind, m: message, f: mark, ...common, c, n, t, b }, fields))
      }
      dead.push(batchIdOf(fields))
      remove(priority, id)
      forget(args[at + 3], args[at + 4])
    }
    at += 10 + 7 * parts
  }

  at++
  for (let left = numberOf(args[at]); left > 0; left--) {
    shard.state.set(textOf(args[at + 1]), bytesOf(args[at + 2]))
    at += 2
  }
  for (const row of args.slice(at + 1)) shard.state.delete(textOf(row))
  watcher.settlementMade(shardNumber, owner.token === token, acked, dead)
  return dueInMs(shard, nowMs)
}

export function batchIdOf(fields: Fields): string {
  return fieldOf(fields, 'c')?.toString() ?? ''
}

/** The named fields, then those of the entry that are not among them. */
function withOthers(named: Parameters<typeof fieldsOf>[0], fields: Fields): Buffer[] {
  const all = fieldsOf(named)
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (!Object.hasOwn(named, fields[i].toString('latin1'))) all.push(fields[i], fields[i + 1])
  }
  return all
}

function fieldsOf(named: Readonly<Record<string, string | number | Buffer>>): Buffer[] {
  return Object.entries(named).flatMap(([name, value]) => [Buffer.from(name, 'latin1'), bytesOf(value)])
}
