import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import type { DecodedBatch } from '#core/model/batch'
import { type Finding, HANDLER_TYPES } from '#core/model/finding'
import type { HandlerSpec } from '#core/protocol/handler-messages'
import { BatchView } from './batch-view.js'
import { checkUserFindings, failed } from './user-findings.js'
import type { UserFinding, UserHandler, UserHandlerContext, UserHandlerModule } from './user-handler.js'

interface Registered {
  type: string
  handler: UserHandler
  context: UserHandlerContext
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
   * What they find in a batch.
   *
   * @param selector `*`, or the only type to run
   * @throws TLM_HANDLER_FAILED a handler threw, or returned what is no finding
   */
  run(batch: DecodedBatch, correlationId: string, selector: string): Finding[] {
    const findings: Finding[] = []
    for (const { type, handler, context } of this.#registered) {
      if (selector !== '*' && selector !== type) continue
      const view = new BatchView(batch, correlationId)
      try {
        findings.push(...checkUserFindings(type, handler(view, context), correlationId))
      } catch (error) {
        if (error instanceof TelemetryError) throw error
        throw failed(type, `it threw: ${messageOf(error).slice(0, 1000)}`, 'see the message; the batch is tried again')
      } finally {
        view.close()
      }
    }
    return findings
  }
}

async function loadHandler({ type, options, moduleUrl }: HandlerSpec): Promise<Registered> {
  const invalid = (reason: string, fix: string) =>
    new TelemetryError('TLM_OPTIONS_INVALID', `Handler ${type}, module ${moduleUrl}: ${reason}. Fix: ${fix}.`)
  if (HANDLER_TYPES.some((builtIn) => builtIn === type)) {
    throw invalid('a built-in handler cannot be replaced', 'give the handler a type of its own')
  }
  const frozen = deepFreeze(structuredClone(options))
  const handlers = new Map<string, UserHandler>()
  try {
    const { register } = (await import(moduleUrl as string)) as Partial<UserHandlerModule>
    if (typeof register !== 'function') throw new TypeError('it exports no function register(registry)')
    await register({ options: frozen, register: (name, handler) => handlers.set(name, handler) })
  } catch (error) {
    throw invalid(messageOf(error), 'correct the module or its options')
  }
  const handler = handlers.get(type)
  if (typeof handler !== 'function') {
    const found = [...handlers.keys()].join(', ') || 'nothing'
    throw invalid(`it registers ${found} and not ${type}`, `call registry.register('${type}', handler) in it`)
  }
  const finding = (draft: UserFinding): UserFinding => ({ ...draft, key: `${type}/${draft.key}` })
  return { type, handler, context: Object.freeze({ options: frozen, finding }) }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part)
    Object.freeze(value)
  }
  return value
}
