import { allRows, cutBetweenReadings, pickRows } from '#core/codec/batch-part'
import { messageOf, type PortableError, TelemetryError, toPortableError } from '#core/errors/telemetry-error'
import type { DecodedBatch } from '#core/model/batch'
import { type Finding, HANDLER_TYPES } from '#core/model/finding'
import { Bisection, type ItemRange } from '#core/policy/bisection'
import type { HandlerEntry, HandlerSpec } from '#core/protocol/handler-messages'
import type { RunMarker } from '#core/protocol/run-marker'
import { BatchView } from './batch-view.js'
import { checkUserFindings, failed } from './user-findings.js'
import type { UserFinding, UserHandler, UserHandlerContext, UserHandlerModule } from './user-handler.js'

/** More bad samples in one batch than this are not the samples' fault. */
export const MAX_DEAD_SAMPLES = 8

/** What of an entry matters to the users' handlers. */
export type UserEntry = Pick<HandlerEntry, 'correlationId' | 'handler' | 'skip' | 'isolate' | 'parts'>

export interface UserRun {
  findings: Finding[]
  /** Samples that are left out, and what was thrown on them. */
  dead: Map<number, PortableError | undefined>
}

interface Registered {
  type: string
  version: string | number
  handler: UserHandler
  context: Omit<UserHandlerContext, 'idempotencyKey'>
}

/** The users' handlers of one thread. */
export class UserHandlers {
  readonly #registered: readonly Registered[]

  private constructor(registered: readonly Registered[]) {
    this.#registered = registered
  }

  /**
   * Imports the modules and lets each register.
   *
   * @throws TLM_OPTIONS_INVALID a module cannot be loaded, or does not register the type it is configured for
   */
  static async load(specs: readonly HandlerSpec[]): Promise<UserHandlers> {
    return new UserHandlers(await Promise.all(specs.map(loadHandler)))
  }

  has(type: string): boolean {
    return this.#registered.some((registered) => registered.type === type)
  }

  /**
   * What they find in a batch, each handler being called once with all of it. With `parts`, or when the entry is to be
   * isolated and a handler throws, it is called once per part instead; then the samples on which it throws are left out,
   * also for the handlers after it, and no other sample is in two calls that end well.
   *
   * @throws TLM_HANDLER_FAILED a handler threw, or returned what is no finding; when isolating, on every sample or on
   *   more than {@link MAX_DEAD_SAMPLES}
   */
  run(batch: DecodedBatch, entry: UserEntry, marker: RunMarker): UserRun {
    const run: UserRun = { findings: [], dead: new Map() }
    let pieces = piecesOf(batch.count, entry.parts, run.dead)
    for (const [index, registered] of this.#registered.entries()) {
      const { type } = registered
      if ((entry.handler !== '*' && entry.handler !== type) || entry.skip === type) continue
      marker.enterHandler(index)
      pieces = pieces.map((rows) => runOn(registered, batch, rows, entry, run)).filter(({ length }) => length > 0)
    }
    marker.enterHandler(undefined)
    return run
  }
}

/** What every user's handler does with one piece of a batch. @returns the rows that are left for the next handler */
function runOn(registered: Registered, batch: DecodedBatch, rows: Uint32Array, entry: UserEntry, run: UserRun) {
  try {
    run.findings.push(...call(registered, batch, rows, entry.correlationId))
    return rows
  } catch (error) {
    if (!entry.isolate || rows.length === 1) throw error
    return isolate(registered, batch, rows, entry, run, error)
  }
}

function isolate(
  registered: Registered,
  batch: DecodedBatch,
  rows: Uint32Array,
  { correlationId }: UserEntry,
  run: UserRun,
  reason: unknown,
): Uint32Array {
  const search = new Bisection({ from: 0, to: rows.length }, MAX_DEAD_SAMPLES, cutBetweenReadings(batch, rows))
  const findings: Finding[] = []
  const errors = new Map<number, PortableError>()
  for (let range = search.next(); range !== undefined; range = search.next()) {
    try {
      findings.push(...call(registered, batch, rows.subarray(range.from, range.to), correlationId))
      search.passed()
    } catch (error) {
      errors.set(range.from, toPortableError(error, 'TLM_HANDLER_FAILED'))
      search.failed()
    }
  }
  // Not some samples are bad then, but the handler or the batch as a whole.
  if (search.isGivenUp || search.bad.length === rows.length) throw reason
  run.findings.push(...findings)
  for (const at of search.bad) run.dead.set(rows[at], errors.get(at))
  return rows.filter((_, at) => !search.bad.includes(at))
}

/** @throws TLM_HANDLER_FAILED */
function call(
  { type, version, handler, context }: Registered,
  batch: DecodedBatch,
  rows: Uint32Array,
  correlationId: string,
): Finding[] {
  const isWhole = rows.length === batch.count
  const view = new BatchView(isWhole ? batch : pickRows(batch, rows), correlationId)
  const part = isWhole ? '' : `#${rows[0]}-${rows[rows.length - 1]}`
  const idempotencyKey = `${correlationId}${part}/${type}/${version}`
  try {
    const returned = handler(view, Object.freeze({ ...context, idempotencyKey }))
    return checkUserFindings(type, returned, correlationId)
  } catch (error) {
    if (error instanceof TelemetryError) throw error
    throw failed(type, `it threw: ${messageOf(error).slice(0, 1000)}`, 'see the message; the batch is tried again')
  } finally {
    view.close()
  }
}

/** The samples of each part; samples in none of them are dead. */
function piecesOf(count: number, parts: readonly ItemRange[] | undefined, dead: UserRun['dead']): Uint32Array[] {
  const rows = allRows(count)
  if (parts === undefined) return [rows]
  let next = 0
  for (const { from, to } of parts) {
    for (let row = next; row < Math.min(from, count); row++) dead.set(row, undefined)
    next = to
  }
  for (let row = next; row < count; row++) dead.set(row, undefined)
  return parts.map(({ from, to }) => rows.subarray(from, to)).filter(({ length }) => length > 0)
}

async function loadHandler({ type, options, moduleUrl }: HandlerSpec): Promise<Registered> {
  const invalid = (reason: string, fix: string) =>
    new TelemetryError('TLM_OPTIONS_INVALID', `Handler ${type}, module ${moduleUrl}: ${reason}. Fix: ${fix}.`)
  if (HANDLER_TYPES.some((builtIn) => builtIn === type)) {
    throw invalid('a built-in handler cannot be replaced', 'give the handler a type of its own')
  }
  const frozen = deepFreeze(structuredClone(options))
  const handlers = new Map<string, { handler: UserHandler; version: string | number }>()
  try {
    const { register } = (await import(moduleUrl as string)) as Partial<UserHandlerModule>
    if (typeof register !== 'function') throw new TypeError('it exports no function register(registry)')
    await register({
      options: frozen,
      register: (name, handler, { version = 1 } = {}) => handlers.set(name, { handler, version }),
    })
  } catch (error) {
    throw invalid(messageOf(error), 'correct the module or its options')
  }
  const registered = handlers.get(type)
  if (typeof registered?.handler !== 'function') {
    const found = [...handlers.keys()].join(', ') || 'nothing'
    throw invalid(`it registers ${found} and not ${type}`, `call registry.register('${type}', handler) in it`)
  }
  const { version } = registered
  if (!(typeof version === 'number' || typeof version === 'string') || String(version).length > 32) {
    throw invalid(
      'its version is neither a number nor text of at most 32 characters',
      'correct register(..., {version})',
    )
  }
  const finding = (draft: UserFinding): UserFinding => ({ ...draft, key: `${type}/${draft.key}` })
  return { type, version, handler: registered.handler, context: { options: frozen, finding } }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part)
    Object.freeze(value)
  }
  return value
}
