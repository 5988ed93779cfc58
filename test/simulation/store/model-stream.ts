/** A consumer group: what it gave out last, and what is pending in it. */
export interface ModelGroup {
  lastId: number
  readonly pending: Set<number>
}

/** Flat names and values, as XREADGROUP gives them. */
export type Fields = readonly Buffer[]

export interface ModelEntry {
  readonly id: number
  readonly fields: Fields
}

/** Numbers within a millisecond. */
const PER_MS = 1000

/** `<ms>-<number>` as one number that grows as ids do. */
export function parseId(text: string): number {
  const [ms, number = '0'] = text.split('-')
  return Number(ms) * PER_MS + Number(number)
}

/** Milliseconds of the server's clock at which the entry was added. */
export function millisecondsOf(id: number): number {
  return Math.floor(id / PER_MS)
}

export function formatId(id: number): string {
  return `${Math.floor(id / PER_MS)}-${id % PER_MS}`
}

/** A Redis stream with its consumer groups, as far as the scripts use it. */
export class ModelStream {
  entries: ModelEntry[] = []
  lastId = 0
  groups = new Map<string, ModelGroup>()

  add(nowMs: number, fields: Fields): void {
    const id = Math.max(nowMs * PER_MS, this.lastId + 1)
    this.lastId = id
    this.entries.push({ id, fields })
  }

  find(id: number): ModelEntry | undefined {
    return this.entries.find((entry) => entry.id === id)
  }

  /** XACK and XDEL. */
  remove(group: string, id: number): boolean {
    this.groups.get(group)?.pending.delete(id)
    const at = this.entries.findIndex((entry) => entry.id === id)
    if (at !== -1) this.entries.splice(at, 1)
    return at !== -1
  }

  /** XREADGROUP of one stream; the group must exist. */
  read(group: ModelGroup, count: number): ModelEntry[] {
    const read: ModelEntry[] = []
    for (const entry of this.entries) {
      if (entry.id <= group.lastId) continue
      if (read.length === count) break
      read.push(entry)
    }
    for (const { id } of read) {
      group.pending.add(id)
      group.lastId = id
    }
    return read
  }

  copy(): ModelStream {
    const copy = new ModelStream()
    copy.entries = [...this.entries]
    copy.lastId = this.lastId
    for (const [name, { lastId, pending }] of this.groups) copy.groups.set(name, { lastId, pending: new Set(pending) })
    return copy
  }
}

/** Value of a field; `undefined` when the entry has none of that name. */
export function fieldOf(fields: Fields, name: string): Buffer | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i].toString('latin1') === name) return fields[i + 1]
  return undefined
}
