import { type DeadLetter, type DeadLetterGroup, UNGROUPED } from '#core/transport/dead-letters'
import { comparePositions, formatId, type GlobalPosition } from '#core/transport/dead-letters/positions'
import type { DeadRow } from './control-rows.js'

/** A dead letter's row with its key. */
export type NumberedDead = readonly [n: number, row: DeadRow]

/** The dead letters of a shard, with sums and groups that follow every change. Thread: main. */
export class DeadRows extends Map<number, DeadRow> {
  readonly groups = new Map<string, DeadLetterGroup>()
  /** Of the bodies. */
  bytes = 0
  /** By position, with letters that are gone among them; `undefined` before it is wanted, and when one came late. */
  #ordered: NumberedDead[] | undefined

  override set(n: number, row: DeadRow): this {
    this.delete(n)
    this.bytes += row.bytes
    this.#count(row)
    const numbered: NumberedDead = [n, row]
    const last = this.#ordered?.at(-1)
    if (last !== undefined && comparePositions(positionOf(last), positionOf(numbered)) > 0) this.#ordered = undefined
    this.#ordered?.push(numbered)
    return super.set(n, row)
  }

  override delete(n: number): boolean {
    const row = this.get(n)
    if (row === undefined) return false
    this.bytes -= row.bytes
    const name = row.fingerprint ?? UNGROUPED
    const group = this.groups.get(name)
    if (group !== undefined && --group.count === 0) this.groups.delete(name)
    return super.delete(n)
  }

  /**
   * By position, with some that are gone, see {@link isThere}. Valid until the next change. Cost: none, mostly: letters die in
   * order, and the array is cleared of those that are gone when they are half of it.
   */
  ordered(): readonly NumberedDead[] {
    this.#ordered ??= [...this].sort((a, b) => comparePositions(positionOf(a), positionOf(b)))
    if (this.#ordered.length > 2 * this.size + 1000) this.#ordered = this.#ordered.filter((one) => this.isThere(one))
    return this.#ordered
  }

  isThere([n, row]: NumberedDead): boolean {
    return this.get(n) === row
  }

  #count({ fingerprint, class: kind, message, diedAtUs }: DeadRow): void {
    const diedAtMs = Math.floor(diedAtUs / 1000)
    const name = fingerprint ?? UNGROUPED
    const group = this.groups.get(name)
    if (group === undefined) {
      const first = { fingerprint: name, class: kind, message: message.slice(0, 500), count: 1 }
      this.groups.set(name, { ...first, firstAtMs: diedAtMs, lastAtMs: diedAtMs })
      return
    }
    group.count++
    group.firstAtMs = Math.min(group.firstAtMs ?? diedAtMs, diedAtMs)
    group.lastAtMs = Math.max(group.lastAtMs ?? diedAtMs, diedAtMs)
  }
}

export function positionOf([n, { diedAtUs }]: NumberedDead): { ms: number; n: number } {
  return { ms: Math.floor(diedAtUs / 1000), n }
}

export function letterOf(shard: number, numbered: NumberedDead): DeadLetter {
  const [, row] = numbered
  const position: GlobalPosition = { shard, ...positionOf(numbered) }
  return {
    id: formatId(position),
    shard,
    class: row.class,
    message: row.message,
    fingerprint: row.fingerprint ?? UNGROUPED,
    correlationId: row.correlationId,
    handler: row.handler,
    priority: row.priority ?? undefined,
    attempts: row.attempts,
    deliveries: row.deliveryCount ?? 0,
    generation: row.generation ?? 0,
    samples: row.samples,
    bytes: row.bytes,
    firstTakenAtUs: row.firstTakenAtUs ?? undefined,
    diedAtMs: position.ms,
    holder: row.holder ?? undefined,
  }
}
